#pragma once

#include <string_view>

#include "catalog/catalog.h"
#include "serve/routed_request.h"

namespace modelmill {

/// Whether a version's text is a number, or empty, which is the default version; else it is a label.
bool is_version_number(std::string_view text);

/// Pins the version that a text stands for, as clients write it. INVALID_ARGUMENT for a number out of range.
Result<VersionPin> pin_version(const Catalog& catalog, std::string_view model, std::string_view text);

/// The same of a text that is a part of a path: where it can't be a version there is no such path, so NOT_FOUND.
Result<VersionPin> pin_path_version(const Catalog& catalog, std::string_view model, std::string_view text);

/// The same for a request that may go along a route, whose target is asked then.
Result<VersionPin> pin_path_version(const Catalog& catalog, std::string_view model, std::string_view text,
                                    const RoutedRequestPtr& routed);

/// The number. 0 for an empty text. INVALID_ARGUMENT in Triton's words for anything else that is none; NOT_FOUND for 0.
Result<int64_t> parse_version(std::string_view model, std::string_view text);

}  // namespace modelmill
