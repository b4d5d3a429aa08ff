#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/utc_time.h"
#include "storage/environment.h"
#include "storage/token_keeper.h"
#include "storage/web_client.h"

namespace modelmill {

/// How requests of one storage account are allowed: its key (AZURE_STORAGE_KEY, with AZURE_STORAGE_ACCOUNT naming the
/// account), a connection string, a shared access signature, or a token of Entra ID: of a service principal, a
/// workload's federated token or the machine's identity. Thread-safe.
class AzureCredentials {
 public:
  /// `sas` is a signature that the URL brought; it goes before what the environment has.
  static Result<std::unique_ptr<AzureCredentials>> find(const std::string& account, const std::string& sas,
                                                        Environment environment);

  /// Where the account's blobs are: of the connection string, or Azure's own place.
  const std::string& endpoint() const { return endpoint_; }
  /// Adds what allows the request, and the headers that every one needs.
  Status allow(WebRequest& request, UtcTime now);
  /// Nothing was found: requests go anonymously.
  Result<bool> anonymous(UtcTime now);

 private:
  AzureCredentials(std::string account, Environment environment);
  Status read_connection_string(std::string_view text);
  Result<std::optional<BearerToken>> ask(UtcTime now);

  const std::string account_;
  const Environment environment_;
  std::string endpoint_;
  std::string key_ = {};  // decoded
  std::string sas_ = {};  // without '?'
  WebClient web_;
  WebClient nearby_;
  TokenKeeper tokens_;
};

/// The Authorization of a GET or HEAD without a body, by the account's key ("SharedKey").
std::string azure_shared_key(const WebRequest& request, const std::string& account, const std::string& key);

}  // namespace modelmill
