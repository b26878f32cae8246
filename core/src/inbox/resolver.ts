/**
 * How a waiting caller's process learns that a reply has come. A hint and nothing more: the reply is in Postgres,
 * committed with the end of its execution, and an inbox that hears nothing looks for itself.
 */
export interface InboxListener {
  /** Replies of these requests are there. Ids that it does not wait for are ignored. */
  onReplies(requestIds: readonly string[]): void
  /** Hints may have been lost: look for everything. */
  onGap(): void
}

export interface OpenInbox {
  /** What a row carries as its `reply_to`. 1 to 63 bytes, unique among all processes. */
  readonly address: string
  /** Whether hints arrive now; while they do not, the inbox looks more often. */
  readonly hearing: boolean
  close(): Promise<void>
}

export interface InboxResolver {
  /** Opens the inbox of this bus. Called at most once by each, before its first request; does no I/O before it returns. */
  open(listener: InboxListener): OpenInbox
  /** After the commit of the replies. Never throws and is not waited for: a lost hint costs one poll interval. */
  tell(address: string, requestIds: readonly string[]): void
}
