#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "repository/torchserve_properties.h"

namespace modelmill {

/// What TLS needs of a keystore, as PEM.
struct KeystoreContent {
  std::string certificates;  // of the key first, then those that signed it
  std::string key;
};

/// Reads a keystore in the form PKCS12. INVALID_ARGUMENT says what is wrong and what to do. Pure.
Result<KeystoreContent> read_keystore(std::string_view content, const std::string& password);

/// The properties with what their keystore has as `certificate_file` and `private_key_file`, in this process's memory,
/// where there is one and an address speaks TLS; else as they are. INVALID_ARGUMENT names the key that is wrong.
Result<Properties> with_keystore(Properties properties, const Variables& variables);

}  // namespace modelmill
