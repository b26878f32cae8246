/**
 * Tells a waiting caller's process that a reply has come. This is only a hint: the reply is in Postgres, and an inbox
 * that hears nothing looks for itself.
 */
export interface InboxListener {
  /** Replies to these requests are there. Ids that the inbox does not expect are ignored. */
  onReplies(requestIds: readonly string[]): void
  /** Hints may have been lost: look for everything. */
  onGap(): void
}

export interface OpenInbox {
  /** What a row carries as its `reply_to`. 1 to 63 bytes, unique among all processes. */
  readonly address: string
  /** Whether hints arrive now. While they do not, the inbox looks more often. */
  readonly hearing: boolean
  close(): Promise<void>
}

export interface InboxResolver {
  /**
   * Opens the inbox of this bus. Each bus calls this at most once, before its first request. Does no I/O before it
   * returns.
   */
  open(listener: InboxListener): OpenInbox
  /** Called after the commit of the replies. Never throws, and is not awaited: a lost hint costs one poll interval. */
  tell(args: { readonly address: string; readonly requestIds: readonly string[] }): void
}
