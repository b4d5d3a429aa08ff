#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repository/torchserve_properties.h"
#include "server/server_config.h"

namespace modelmill {

/// A config.properties of TorchServe's in the words of `modelmill serve`.
struct TorchServeTranslation {
  std::vector<std::string> arguments;  // the addresses come first
  /// What TorchServe answers at each of the addresses.
  std::vector<wire::Services> services;
  /// For who started the server: keys that are unknown, or say nothing here.
  std::vector<std::string> warnings;
};

/// Translates by the table of torchserve_keys(). `presets`: where the file does not have a key the original's default
/// counts, as under its name; else `serve`'s own. `file` is where they come from, and is the PATH of the models that it
/// names. INVALID_ARGUMENT names the key that can't be translated. Pure.
Result<TorchServeTranslation> translate_torchserve_config(const std::string& file, Properties properties,
                                                          const Variables& variables, bool presets);

/// Reads the file, has `config` as it says, and logs what it says in vain. Errors name the file.
Status apply_torchserve_config(const std::string& file, const Variables& variables, ServerConfig& config);

}  // namespace modelmill
