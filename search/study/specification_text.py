"""What a study searches, in words: for its note, its report and the dashboard."""

from nlb_search.search.study.specification import SearchSpec


def specification_rows(spec: SearchSpec) -> dict[str, str]:
    """The names of the main facts of a specification, and their texts."""
    seeds = f", {spec.seeds} networks with different seeds" if spec.seeds > 1 else ""
    pruner = "no pruner" if spec.pruner == "none" else f"{spec.pruner} pruner"
    objectives = {"objectives": ", ".join(spec.objectives)} if spec.has_own_objectives else {}
    return {
        "dataset": f"{spec.dataset}, {spec.bin_ms} ms bins",
        "chains": "; ".join(spec.architectures),
        **objectives,
        "search": f"{spec.space_name} space, {spec.sampler} sampler, {pruner}, seed {spec.seed}",
        "trial": f"up to {spec.epochs} epochs in batches of {spec.batch_sizes} trials{seeds}",
    }
