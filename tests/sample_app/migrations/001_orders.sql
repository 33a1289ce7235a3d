CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item text NOT NULL CHECK (item <> ''),
    quantity integer NOT NULL CHECK (quantity > 0),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_release text NOT NULL,
    processed_at timestamptz,
    processed_by text,
    processed_release text
);
