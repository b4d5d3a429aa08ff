#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "wire/endpoint.h"

namespace modelmill {

/// "http://host:port", "https://host:port" or "unix:path", as a client on this machine can use it: an address that
/// means "all" becomes the loopback's.
std::string client_url(const wire::Endpoint& endpoint);

/// What curl must be told beside the URL to ask a model.
struct CurlOptions {
  std::optional<std::string> access = "";  // nothing: models can't be asked
  bool client_certificate = false;         // over TLS
};

/// What `serve` prints when its models are loaded, as plain aligned text: where it listens, each version with inputs,
/// outputs, batching and instances, what could not be loaded and why, and a curl line for one of the models, if they
/// can be asked. There is at least one endpoint.
std::string announcement(const std::vector<wire::Endpoint>& endpoints, const ModelTable& table,
                         const CurlOptions& curl = {});

/// The lines that tell inputs and outputs, indented by four.
std::string signature_text(const Signature& signature);

}  // namespace modelmill
