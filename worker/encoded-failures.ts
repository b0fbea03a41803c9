import { ApplicationFailure, DefaultFailureConverter, type ProtoFailure } from '@temporalio/common';

type Conversion = Parameters<DefaultFailureConverter['errorToFailure']>;

const plain = new DefaultFailureConverter();

/**
 * Messages and stack traces of failures as payloads, so that the codec encrypts them. All but one: a process without the
 * key that is needed says so in the clear. Encrypted with the key it does have, others might be unable to read that.
 */
class EncodingFailureConverter extends DefaultFailureConverter {
  override errorToFailure(...[error, payloads, context]: Conversion): ProtoFailure {
    return isUnreadable(error)
      ? plain.errorToFailure(error, payloads, context)
      : super.errorToFailure(error, payloads, context);
  }
}

/** By its name: here it may have been wrapped, and this file is loaded apart from the others. */
function isUnreadable(error: unknown): boolean {
  const name = error instanceof ApplicationFailure ? error.type : error instanceof Error ? error.name : '';
  return name === 'UnreadableBatch';
}

/** The worker loads this file by its path. */
export const failureConverter = new EncodingFailureConverter({ encodeCommonAttributes: true });
