interface Props {
  /** What is read in pages, in the plural. */
  readonly of: string;
  /** `undefined`: there is none. */
  readonly onBack: (() => void) | undefined;
  readonly onNext: (() => void) | undefined;
}

/** Turns the pages of a list; nothing where all of it is shown. */
export function Pager({ of, onBack, onNext }: Props) {
  if (onBack === undefined && onNext === undefined) return null;
  return (
    <nav class="pager" aria-label={`Pages of ${of}`}>
      <button type="button" aria-disabled={onBack === undefined} onClick={onBack}>
        Previous page
      </button>
      <button type="button" aria-disabled={onNext === undefined} onClick={onNext}>
        Next page
      </button>
    </nav>
  );
}
