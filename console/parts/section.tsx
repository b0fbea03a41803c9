import type { ComponentChildren, Ref } from 'preact';

interface Props {
  /** Of the heading; unique on the page. */
  readonly id: string;
  readonly title: string;
  /** Takes the focus where what had it has gone. */
  readonly headingRef?: Ref<HTMLHeadingElement>;
  readonly children: ComponentChildren;
}

/** A part of the page that screen readers can jump to. */
export function Section({ id, title, headingRef, children }: Props) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id} tabIndex={-1} ref={headingRef ?? null}>
        {title}
      </h2>
      {children}
    </section>
  );
}
