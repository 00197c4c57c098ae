"""Folders as Kilosort and phy write them."""

from pathlib import Path

import numpy as np

from tests.helpers.recordings.own_nwb import OwnSession

RATE_HZ = 20_000


def write_phy_folder(folder: Path, session: OwnSession, groups: dict[int, str]) -> Path:
    """Write a session; the clusters are numbered 10, 11 and so on, and ``groups`` has the group of some of them."""
    folder.mkdir(parents=True)
    samples = np.concatenate([np.rint(spikes * RATE_HZ).astype(np.uint64) for spikes in session.spikes])
    clusters = np.repeat(np.arange(10, 10 + session.n_neurons), [len(spikes) for spikes in session.spikes])
    order = np.argsort(samples, kind="stable")
    np.save(folder / "spike_times.npy", samples[order][:, None])
    np.save(folder / "spike_clusters.npy", clusters[order].astype(np.int32))
    rows = "".join(f"{cluster}\t{group}\n" for cluster, group in groups.items())
    (folder / "cluster_group.tsv").write_text(f"cluster_id\tgroup\n{rows}")
    (folder / "params.py").write_text(
        f"dat_path = r'recording.dat'\nn_channels_dat = 32\ndtype = 'int16'\nsample_rate = {RATE_HZ}.\n"
    )
    go = session.start + 0.1
    trials = "".join(
        f"{start},{stop},{event},{'easy' if row % 2 else 'hard'}\n"
        for row, (start, stop, event) in enumerate(zip(session.start, session.stop, go, strict=True))
    )
    (folder / "trials.csv").write_text(f"start_time,stop_time,go,kind\n{trials}")
    return folder
