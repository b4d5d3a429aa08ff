#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "server/engine.h"

namespace modelmill {

/// "http://host:port" as a client on this machine can use it: an address that means "all" becomes the loopback's.
std::string client_url(const std::string& host, uint16_t port);

/// What `serve` prints when its models are loaded, as plain aligned text: where it listens, each version with inputs,
/// outputs, batching and instances, what could not be loaded and why, and a curl line for one of the models.
std::string announcement(const std::string& host, uint16_t port, const ModelTable& table,
                         const VersionLayouts& layouts);

/// The lines that tell inputs and outputs, indented by four.
std::string signature_text(const Signature& signature);

/// "up to 64 rows" or "off: <reason>".
std::string batching_text(const ModelDefinition& definition, const VersionLayout& layout);

}  // namespace modelmill
