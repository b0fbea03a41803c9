import type { Ref } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/**
 * For a list whose rows come and go by themselves. Where the row that had the focus is gone, the heading gets it: else whoever
 * works by keyboard would be thrown to the top of the page.
 */
export function useFocusFallback(): {
  readonly list: Ref<HTMLDivElement> & { current: HTMLDivElement | null };
  readonly heading: Ref<HTMLHeadingElement> & { current: HTMLHeadingElement | null };
  /** Whether somebody has the focus or the pointer on a row: then rows should stay where they are. */
  readonly isHeld: () => boolean;
} {
  const list = useRef<HTMLDivElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const held = useRef<Element | undefined>(undefined);
  useEffect(() => {
    const note = ({ target }: FocusEvent) => {
      held.current = target instanceof Element && list.current?.contains(target) ? target : undefined;
    };
    document.addEventListener('focusin', note);
    return () => document.removeEventListener('focusin', note);
  }, []);
  useEffect(() => {
    if (held.current?.isConnected !== false) return;
    held.current = undefined;
    if (document.activeElement === document.body) heading.current?.focus();
  });
  return {
    list,
    heading,
    isHeld: () => list.current?.matches(':hover, :focus-within') ?? false,
  };
}
