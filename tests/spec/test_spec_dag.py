"""The graph: order, cycles, and the names of what is wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import UsageError
from runner.spec.dag import PipelineDAG


def test_nodes_edges_and_dependencies_keep_their_order() -> None:
    dag = PipelineDAG(["c", "a", "b"], [("a", "b"), ("c", "b")])
    assert dag.nodes == ["c", "a", "b"]
    assert dag.edges == [("a", "b"), ("c", "b")]
    assert dag.get_dependencies("b") == ["a", "c"]
    assert dag.get_dependencies("a") == []


def test_order_is_that_of_the_file_where_nothing_forbids_it() -> None:
    assert PipelineDAG(["z", "m", "a"]).topological_sort() == ["z", "m", "a"]
    assert PipelineDAG(["z", "m", "a"], [("a", "z")]).topological_sort() == ["m", "a", "z"]
    assert PipelineDAG(["d", "b", "c", "a"], [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]).topological_sort() == [
        "a",
        "b",
        "c",
        "d",
    ]


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        (["a", "a"], [], "node 'a' is given twice"),
        (["a", "b"], [("a", "b"), ("a", "b")], "edge 'a' -> 'b' is given twice"),
        (["alpha"], [("alpha", "beta")], "edge 'alpha' -> 'beta': no node 'beta'"),
        (["alpha", "beta"], [("alpah", "beta")], "edge 'alpah' -> 'beta': no node 'alpah' (did you mean 'alpha'?)"),
        (["a"], [("a", "a")], "cycle: a -> a"),
        (["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "b")], "cycle: b -> c -> b"),
        (["c", "b", "a"], [("a", "b"), ("b", "c"), ("c", "a")], "cycle: c -> a -> b -> c"),
        (
            ["a", "b", "c", "d"],
            [("a", "b"), ("b", "a"), ("b", "c"), ("d", "c"), ("c", "d")],
            "cycle: a -> b -> a; c -> d -> c",
        ),
    ],
)
def test_what_is_no_dag(nodes: list[str], edges: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        PipelineDAG(nodes, edges)
    assert str(caught.value) == message
    assert caught.value.remedy


def test_a_cycle_made_later_is_found_when_sorting() -> None:
    dag = PipelineDAG()
    dag.add_node("a")
    dag.add_node("b")
    dag.add_edge("a", "b")
    assert dag.cycles() == []
    dag.add_edge("b", "a")
    assert dag.cycles() == [["a", "b", "a"]]
    with pytest.raises(UsageError, match="cycle: a -> b -> a"):
        dag.topological_sort()


def test_dependencies_of_an_unknown_node() -> None:
    with pytest.raises(UsageError, match=r"no node 'alpah' \(did you mean 'alpha'\?\)"):
        PipelineDAG(["alpha"]).get_dependencies("alpah")


def test_the_shortest_way_round_is_printed() -> None:
    dag = PipelineDAG("abcde", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")])
    dag.add_edge("e", "a")
    dag.add_edge("c", "a")
    assert dag.cycles() == [["a", "b", "c", "a"]]


def test_depth_costs_no_recursion() -> None:
    names = [f"n{index}" for index in range(5000)]
    chain = list(itertools.pairwise(names))
    dag = PipelineDAG(names, chain)
    assert dag.topological_sort() == names
    dag.add_edge(names[-1], names[0])
    assert dag.cycles() == [[*names, names[0]]]


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_every_graph_is_sorted_or_has_a_real_cycle(graph: tuple[int, set[tuple[int, int]]]) -> None:
    count, pairs = graph
    edges = [(str(source), str(target)) for source, target in sorted(pairs) if source != target]
    dag = PipelineDAG([str(index) for index in range(count)])
    for source, target in edges:
        dag.add_edge(source, target)
    cycles = dag.cycles()
    if not cycles:
        place = {node: index for index, node in enumerate(dag.topological_sort())}
        assert len(place) == count
        assert all(place[source] < place[target] for source, target in edges)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert all(step in edges for step in itertools.pairwise(cycle))
