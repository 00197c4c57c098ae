"""What a step costs: for trials side by side, for several processes on one GPU, and for other ways to compute it."""

import math
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

import torch
from torch import nn

from benchmarks.gpu_parts.context import CHAINS, RNNF, Context
from benchmarks.gpu_parts.timing import PRECISIONS, laid_out, precision, step_ms
from nlb_search.models.blocks.gru import GRU
from nlb_search.models.hyperparameters import Hyperparameters
from nlb_search.search.study.training_length import default_epochs


def steps_per_trial(context: Context) -> int:
    """Steps of the optimizer in a trial of the usual length."""
    n_trials = context.size.recording.train.n_trials
    return default_epochs(n_trials) * math.ceil(n_trials / 32)


def together(context: Context) -> None:
    """Milliseconds of a step against chains and the number of trials side by side."""
    for chain in CHAINS:
        for number in context.size.together:
            if context.has_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
            steps = laid_out(context, chain, number)
            milliseconds = step_ms(context, steps)
            memory = (torch.cuda.max_memory_allocated() - before) / 2**20 if context.has_gpu else math.nan
            context.record.row(
                "A step of K trials side by side",
                chain=chain,
                K=number,
                ms_a_step=milliseconds,
                ms_of_each=milliseconds / number,
                trials_an_hour=3.6e6 * number / milliseconds / steps_per_trial(context),
                MB_of_each=memory / number,
            )
            del steps


def processes(context: Context) -> None:
    """Trials an hour of several processes that train on one device at once."""
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
            ms_a_step=1e3 * number / sum(rates),
            trials_an_hour=3600 * sum(rates) * context.size.process_trials / steps_per_trial(context),
        )


def _train(context: Context, barrier: Barrier, results: Any) -> None:
    """Put the steps a second of this process into ``results``."""
    torch.set_num_threads(1)
    steps = laid_out(context, RNNF, context.size.process_trials)
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
    """CUDA graphs on and off; precisions; our recurrence against ``nn.GRU``, which cuDNN computes on a GPU."""
    for number in context.size.together[:3]:
        launched = step_ms(context, laid_out(context, RNNF, number, captured=False), rounds=2)
        captured = step_ms(context, laid_out(context, RNNF, number))
        if context.has_gpu:
            context.record.row(
                "CUDA graphs: ms a step of rnnf",
                K=number,
                launched_one_by_one=launched,
                captured=captured,
                times=launched / captured,
            )
    if not context.has_gpu:
        context.without_gpu("CUDA graphs on and off")
    for kind in PRECISIONS:
        for chain in (CHAINS[0], CHAINS[-1]):
            with precision(kind, context.device):
                milliseconds = step_ms(context, laid_out(context, chain, context.size.together[-2]))
            context.record.row(
                "Precision of matrix products: ms a step",
                precision=kind,
                chain=chain,
                K=context.size.together[-2],
                ms_a_step=milliseconds,
            )
    _recurrences(context)


def _recurrences(context: Context) -> None:
    """Two bidirectional layers of 40 hidden channels on a batch of 32 trials, forwards and backwards."""
    sizes, hidden = context.size.sizes, 40
    hyper = Hyperparameters(hidden=hidden, dropout=0.0)
    ours = GRU(sizes.n_heldin, sizes, hyper, 2).to(context.device)
    theirs = nn.GRU(sizes.n_heldin, hidden, 2, batch_first=True, bidirectional=True).to(context.device)
    spikes_BTC = torch.rand(32, sizes.n_bins, sizes.n_heldin, device=context.device)
    bins_BT = torch.arange(sizes.n_bins, device=context.device).expand(32, -1)
    runs = {
        "nn.GRU": lambda: theirs(spikes_BTC)[0].sum().backward(),
        "ours, launched one by one": lambda: ours(spikes_BTC, bins_BT).sum().backward(),
    }
    if context.has_gpu:
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                runs["ours, launched one by one"]()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            runs["ours, launched one by one"]()
        runs["ours, captured"] = graph.replay
    for name, run in runs.items():
        for _ in range(3):
            run()
        context.synchronize()
        began = time.perf_counter()
        for _ in range(10):
            run()
        context.synchronize()
        context.record.row(
            "The recurrence alone, K = 1: ms forwards and backwards",
            recurrence=name,
            ms=100 * (time.perf_counter() - began),
        )
