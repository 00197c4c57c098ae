"""Checks that a server can be reached through this machine's proxy and is trusted. Retries would not help otherwise."""

from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from nlb_search.data.dandi.download import TIMEOUT_SECONDS
from nlb_search.data.errors import DataError


def check_connection(url: str) -> None:
    """Raise DataError if the proxy of ``url`` cannot be reached, or if the certificate of the server is not trusted.

    Other failures are left to the requests that follow, which retry.
    """
    try:
        requests.head(url, timeout=TIMEOUT_SECONDS)
    except requests.exceptions.ProxyError as error:
        raise DataError(
            f"{url} cannot be reached through the proxy {_proxy_of(url)}: check the proxy, or the variables "
            "HTTPS_PROXY and NO_PROXY"
        ) from error
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            through = "" if (proxy := _proxy_of(url)) is None else f" through the proxy {proxy}"
            raise DataError(
                f"the certificate of {url}{through} is not trusted: if a proxy or a mirror of your institution has its "
                "own, set REQUESTS_CA_BUNDLE to a PEM file with the certificates to trust"
            ) from error
    except requests.RequestException:
        pass


def _proxy_of(url: str) -> str | None:
    """Host and port of the proxy for ``url``, without its password, or None without a proxy."""
    proxy = select_proxy(url, get_environ_proxies(url))
    return None if proxy is None else urlsplit(proxy).netloc.rpartition("@")[2]
