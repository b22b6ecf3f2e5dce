"""`PipelineDAG`: which step comes before which. The only graph in the project."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from runner.errors import UsageError
from runner.spec.names import did_you_mean

Pair = tuple[str, str]


class PipelineDAG:
    """Named nodes and edges `(source, target)`: the target needs the source.

    Anything wrong is a UsageError that prints the names: a node or edge given twice, an edge of an unknown node, an
    edge of a node to itself, a cycle. The constructor checks all of it; `topological_sort` finds cycles that later
    `add_edge` calls made. Every operation is linear in nodes and edges (sorting adds a logarithm), none recurses.
    """

    def __init__(self, nodes: Iterable[str] | None = None, edges: Iterable[Pair] | None = None) -> None:
        self._sources: dict[str, list[str]] = {}
        self._targets: dict[str, list[str]] = {}
        self._edges: dict[Pair, None] = {}
        for node in nodes or ():
            self.add_node(node)
        for source, target in edges or ():
            self.add_edge(source, target)
        self.topological_sort()

    @property
    def nodes(self) -> list[str]:
        """In the order in which they were added."""
        return list(self._sources)

    @property
    def edges(self) -> list[Pair]:
        """In the order in which they were added."""
        return list(self._edges)

    def add_node(self, node: str) -> None:
        if node in self._sources:
            raise UsageError(f"node '{node}' is given twice", remedy="Give each node a name of its own.")
        self._sources[node] = []
        self._targets[node] = []

    def add_edge(self, source: str, target: str) -> None:
        for end in (source, target):
            if end not in self._sources:
                raise UsageError(
                    f"edge '{source}' -> '{target}': no node '{end}'{did_you_mean(end, self._sources)}",
                    remedy="Add the node, or mend the edge.",
                )
        if source == target:
            raise UsageError(f"cycle: {source} -> {source}", remedy="A node cannot need itself.")
        if (source, target) in self._edges:
            raise UsageError(f"edge '{source}' -> '{target}' is given twice", remedy="Remove one of them.")
        self._edges[source, target] = None
        self._sources[target].append(source)
        self._targets[source].append(target)

    def get_dependencies(self, node: str) -> list[str]:
        """The nodes that `node` needs directly, in the order in which the edges were added."""
        if node not in self._sources:
            raise UsageError(f"no node '{node}'{did_you_mean(node, self._sources)}")
        return list(self._sources[node])

    def topological_sort(self) -> list[str]:
        """Every node after all that it needs; among those that could come next, the one added first."""
        order = self._drain()
        if len(order) < len(self._sources):
            found = "; ".join(" -> ".join(cycle) for cycle in self.cycles())
            raise UsageError(f"cycle: {found}", remedy="Remove one edge of the cycle.")
        return order

    def _drain(self) -> list[str]:
        """The order, without the nodes that are on a cycle or come after one."""
        nodes = self.nodes
        place = {node: index for index, node in enumerate(nodes)}
        waiting = {node: len(sources) for node, sources in self._sources.items()}
        ready = [place[node] for node in nodes if not waiting[node]]
        order: list[str] = []
        while ready:
            node = nodes[heapq.heappop(ready)]
            order.append(node)
            for target in self._targets[node]:
                waiting[target] -= 1
                if not waiting[target]:
                    heapq.heappush(ready, place[target])
        return order

    def cycles(self) -> list[list[str]]:
        """One cycle of each knot of nodes that need each other, as `[a, b, a]`, beginning with the node added first."""
        if len(self._drain()) == len(self._sources):
            return []
        import networkx

        graph: networkx.DiGraph[str] = networkx.DiGraph()
        graph.add_nodes_from(self._sources)
        graph.add_edges_from(self._edges)
        place = {node: index for index, node in enumerate(self._sources)}
        knots = [knot for knot in networkx.strongly_connected_components(graph) if len(knot) > 1]
        starts = {min(knot, key=place.__getitem__): knot for knot in knots}
        return [self._cycle(start, starts[start]) for start in sorted(starts, key=place.__getitem__)]

    def _cycle(self, start: str, knot: set[str]) -> list[str]:
        """A shortest way from `start` back to itself; in a knot there is always one."""
        came_from: dict[str, str] = {}
        queue = [start]
        for node in queue:
            for target in self._targets[node]:
                if target == start:
                    way = [node]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return [*reversed(way), start]
                if target in knot and target not in came_from:
                    came_from[target] = node
                    queue.append(target)
        raise AssertionError(f"'{start}' is not on a cycle")


def find_cycles(nodes: Iterable[str], edges: Iterable[Pair]) -> list[list[str]]:
    """As `PipelineDAG.cycles`, for edges between known and different nodes."""
    dag = PipelineDAG(nodes)
    for source, target in dict.fromkeys(edges):
        dag.add_edge(source, target)
    return dag.cycles()
