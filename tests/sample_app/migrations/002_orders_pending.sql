-- What waits is looked for often and is a small part of the table.
CREATE INDEX orders_pending ON orders (created_at) WHERE status = 'pending';
