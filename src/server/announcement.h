#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "server/engine.h"
#include "wire/endpoint.h"

namespace modelmill {

/// "http://host:port", "https://host:port" or "unix:path", as a client on this machine can use it: an address that
/// means "all" becomes the loopback's.
std::string client_url(const wire::Endpoint& endpoint);

/// What `serve` prints when its models are loaded, as plain aligned text: where it listens, each version with inputs,
/// outputs, batching and instances, what could not be loaded and why, and a curl line for one of the models. There is
/// at least one endpoint.
std::string announcement(const std::vector<wire::Endpoint>& endpoints, const ModelTable& table,
                         const VersionLayouts& layouts);

/// The lines that tell inputs and outputs, indented by four.
std::string signature_text(const Signature& signature);

/// "up to 64 rows" or "off: <reason>".
std::string batching_text(const ModelDefinition& definition, const VersionLayout& layout);

}  // namespace modelmill
