#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/percent_text.h"
#include "base/result.h"
#include "wire/http.h"

namespace modelmill::torchserve {

// Values of a query as TorchServe reads them.

/// What is no number counts as not said, as there.
std::optional<int64_t> number_in(const NamedTexts& query, std::string_view name);
/// What is neither true nor there is `otherwise` or false.
bool flag_in(const NamedTexts& query, std::string_view name, bool otherwise);
/// Empty where it is not there.
std::string text_in(const NamedTexts& query, std::string_view name);

/// What a request that registers something says: its query, or the members of its JSON body, which is then `by_body`.
Result<NamedTexts> registration_values(const wire::HttpRequest& request, bool& by_body);

}  // namespace modelmill::torchserve
