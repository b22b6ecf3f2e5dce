"""What goes into a container and what comes out of it, as files on the host.

`manifest` describes a tree, `archive` packs one, `publish` judges and publishes the outputs of a step, `materialise`
lays out its inputs, `formats` tells what data files are (`tables` has the words for it), `files` holds the few file
operations that all of them need to be durable and exact.
"""
