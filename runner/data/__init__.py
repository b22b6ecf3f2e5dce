"""What goes into a container and what comes out of it, as files on the host.

`manifest` describes a tree, `archive` packs one, `publish` judges and publishes the outputs of a step, `materialise`
lays out its inputs, `files` holds the few file operations that all of them need to be durable and exact.

What data is: `formats` reads a file, `tables` says what is known of it, `expectations` holds it to what a step expects,
`difference` compares two looks at it, `synthetic` makes some. `diagnosis` reads why a step failed.
"""
