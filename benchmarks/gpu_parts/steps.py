"""Times training steps: trials side by side, several processes on one GPU, CUDA graphs, precisions and recurrences."""

import math
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

import torch
from torch import nn

from benchmarks.gpu_parts.context import CHAINS, RNNF, Context
from benchmarks.gpu_parts.timing import PRECISIONS, precision, side_by_side_training, step_ms
from nlb_search.models.blocks.gru import GRU
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.search.creation.training_length import default_epochs


def steps_per_trial(context: Context) -> int:
    """Number of optimizer steps in a trial of the default length."""
    n_trials = context.size.recording.train.n_trials
    return default_epochs(n_trials) * math.ceil(n_trials / 32)


def side_by_side(context: Context) -> None:
    """Milliseconds per step for each chain and number of trials side by side."""
    for chain in CHAINS:
        for number in context.size.n_side_by_side:
            if context.has_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
            steps = side_by_side_training(context, chain, number)
            milliseconds = step_ms(context, steps)
            memory = (torch.cuda.max_memory_allocated() - before) / 2**20 if context.has_gpu else math.nan
            context.record.row(
                "Step of K trials side by side",
                chain=chain,
                K=number,
                ms_per_step=milliseconds,
                ms_per_trial=milliseconds / number,
                trials_per_hour=3.6e6 * number / milliseconds / steps_per_trial(context),
                MB_per_trial=memory / number,
            )
            del steps


def processes(context: Context) -> None:
    """Trials per hour of several processes that train on one device at the same time."""
    for number in context.size.processes:
        spawn = get_context("spawn")
        barrier, results = spawn.Barrier(number), spawn.Queue()
        workers = [spawn.Process(target=_train, args=(context, barrier, results)) for _ in range(number)]
        for worker in workers:
            worker.start()
        rates = [results.get(timeout=max(1.0, context.seconds_left)) for _ in workers]
        for worker in workers:
            worker.join()
        context.record.row(
            "Processes on one device",
            processes=number,
            K=context.size.process_trials,
            ms_per_step=1e3 * number / sum(rates),
            trials_per_hour=3600 * sum(rates) * context.size.process_trials / steps_per_trial(context),
        )


def _train(context: Context, barrier: Barrier, results: Any) -> None:
    """Put the steps per second of this process into ``results``."""
    torch.set_num_threads(1)
    steps = side_by_side_training(context, RNNF, context.size.process_trials)
    steps.train_epoch(lambda: False)
    context.synchronize()
    barrier.wait()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < context.size.process_seconds:
        steps.train_epoch(lambda: False)
        context.synchronize()
        done += context.size.steps
    results.put(done / (time.perf_counter() - began))


def variants(context: Context) -> None:
    """Compare CUDA graphs on and off, precisions, and our recurrence with ``nn.GRU`` (cuDNN on a GPU)."""
    for number in context.size.n_side_by_side[:3]:
        individual = step_ms(context, side_by_side_training(context, RNNF, number, captured=False), rounds=2)
        captured = step_ms(context, side_by_side_training(context, RNNF, number))
        if context.has_gpu:
            context.record.row(
                "CUDA graphs: ms per step of rnnf",
                K=number,
                individual_launches=individual,
                CUDA_graph=captured,
                speedup=individual / captured,
            )
    if not context.has_gpu:
        context.skip_without_gpu("CUDA graphs on and off")
    for kind in PRECISIONS:
        for chain in (CHAINS[0], CHAINS[-1]):
            with precision(kind, context.device):
                milliseconds = step_ms(context, side_by_side_training(context, chain, context.size.n_side_by_side[-2]))
            context.record.row(
                "Precision of matrix products: ms per step",
                precision=kind,
                chain=chain,
                K=context.size.n_side_by_side[-2],
                ms_per_step=milliseconds,
            )
    _recurrences(context)


def _recurrences(context: Context) -> None:
    """Time the forward and backward pass of two bidirectional layers, 40 hidden channels, batches of 32 trials."""
    sizes, hidden = context.size.sizes, 40
    hyper = Hyperparameters(hidden=hidden, dropout=0.0)
    ours = GRU(sizes.n_heldin, sizes, hyper, 2).to(context.device)
    torch_gru = nn.GRU(sizes.n_heldin, hidden, 2, batch_first=True, bidirectional=True).to(context.device)
    spikes_BTC = torch.rand(32, sizes.n_bins, sizes.n_heldin, device=context.device)
    bins_BT = torch.arange(sizes.n_bins, device=context.device).expand(32, -1)
    runs = {
        "nn.GRU": lambda: torch_gru(spikes_BTC)[0].sum().backward(),
        "ours, individual launches": lambda: ours(spikes_BTC, bins_BT).sum().backward(),
    }
    if context.has_gpu:
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                runs["ours, individual launches"]()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            runs["ours, individual launches"]()
        runs["ours, CUDA graph"] = graph.replay
    for name, run in runs.items():
        for _ in range(3):
            run()
        context.synchronize()
        began = time.perf_counter()
        for _ in range(10):
            run()
        context.synchronize()
        context.record.row(
            "Recurrence only, K = 1: ms per forward and backward pass",
            recurrence=name,
            ms=100 * (time.perf_counter() - began),
        )
