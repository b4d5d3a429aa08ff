#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/personality/torchserve_config.h"

namespace modelmill {

/// `--listen` for each address, and the certificate's files where one of them begins with https.
Status put_addresses(const Properties& properties, TorchServeTranslation& out);

/// What URLs begin with that a regular expression matches: "https://s3.amazonaws.com/.*", also with "(s)?" or
/// alternatives. Nothing of files, which need no permission here. nullopt: it is no text that anything may follow.
std::optional<std::vector<std::string>> url_prefixes(std::string_view expression);

}  // namespace modelmill
