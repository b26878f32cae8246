-- Anything that an earlier version granted and this one does not goes. In the transaction that grants anew: nobody sees a gap.
revoke all on all tables in schema {schema} from {role};
revoke all on all sequences in schema {schema} from {role};
revoke all on all functions in schema {schema} from {role};
revoke all on schema {schema} from {role};
