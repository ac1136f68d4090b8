-- Who wrote what somebody else pushes: name, e-mail address and time; NULL where the principal is the author.

ALTER TABLE write_requests ADD COLUMN author jsonb;
