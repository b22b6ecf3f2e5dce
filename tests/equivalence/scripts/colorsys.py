MINE = "a neighbour of the name of a module of the standard library"
