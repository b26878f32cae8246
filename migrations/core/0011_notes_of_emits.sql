-- A note may be committed together with the row that it names, before any lane has claimed it: an emit and the claim of the lane that
-- lends its connection for it are one trip. Until that claim has the row, the lane's session holds this advisory lock, and
-- nothing that the note names has been started. Null for the note of a claim.
alter table {schema}.claim_notes add column unclaimed_lock bigint;
