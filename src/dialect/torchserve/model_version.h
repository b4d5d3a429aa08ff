#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog.h"
#include "serve/routed_request.h"

namespace modelmill::torchserve {

/// Pins the version that a client of TorchServe means: its text is a label ("1.0" of an archive), or a number, also
/// with
/// ".0" behind it; empty: the default one. Errors have TorchServe's words; UNAVAILABLE for one that is known and not
/// ready.
Result<VersionPin> pin_model(const Catalog& catalog, const std::string& model, std::string_view version);
/// The same for inference, along a route, whose target is asked then; null: there is none. no_worker() where clients
/// have taken its workers.
Result<VersionPin> pin_model(const Catalog& catalog, const std::string& model, std::string_view version,
                             const RoutedRequestPtr& routed);

/// The number that the text stands for in a model; NOT_FOUND in TorchServe's words.
Result<int64_t> version_of_text(const Catalog& catalog, const std::string& model, std::string_view version);

/// What clients see as a version: the text that its archive has, or its number.
std::string version_text(const ModelEntry& entry, int64_t version);

}  // namespace modelmill::torchserve
