import type { ComponentChildren } from 'preact';

interface Props {
  readonly caption: string;
  readonly columns: readonly string[];
  /** Rows; each cell has its column as `data-label`, which narrow screens show in its place. */
  readonly children: ComponentChildren;
}

/** A table with a caption and headers. */
export function Table({ caption, columns, children }: Props) {
  return (
    <table>
      <caption>{caption}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}
