#pragma once

#include <string>

#include "base/result.h"
#include "client/url.h"
#include "storage/environment.h"

namespace modelmill {

/// The proxy that the environment wants for a server, as curl reads it.
struct ProxyChoice {
  BaseUrl url = {};              // the host is empty: none
  std::string credentials = {};  // of Proxy-Authorization; empty: none
};

/// https_proxy or HTTPS_PROXY with https, http_proxy with http (in capitals it is a header that a client sent to a CGI
/// program), all_proxy; none for the hosts of no_proxy, and for addresses of cloud machines' own metadata.
Result<ProxyChoice> choose_proxy(const BaseUrl& server, const Environment& environment);

}  // namespace modelmill
