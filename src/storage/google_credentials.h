#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "storage/environment.h"
#include "storage/json_fields.h"
#include "storage/token_keeper.h"
#include "storage/web_client.h"

namespace modelmill {

/// Google's "application default credentials": the file that GOOGLE_APPLICATION_CREDENTIALS names, the one that `gcloud
/// auth application-default login` wrote, or the machine's own account, asked of its metadata server. A service
/// account's key, or a user's. Thread-safe.
class GoogleCredentials {
 public:
  explicit GoogleCredentials(Environment environment);

  /// For reading storage; nullopt: there are none, requests go anonymously.
  Result<std::optional<BearerToken>> get(UtcTime now);

 private:
  Result<BearerToken> from_file(const std::string& path, const std::string& text, UtcTime now);
  std::optional<BearerToken> from_machine(UtcTime now);

  const Environment environment_;
  WebClient web_;
  WebClient nearby_;
};

/// A JSON web token of a service account, signed with its key (RS256). INVALID_ARGUMENT when the key is none.
Result<std::string> service_account_assertion(const JsonFields& account, const std::string& audience, UtcTime now);

}  // namespace modelmill
