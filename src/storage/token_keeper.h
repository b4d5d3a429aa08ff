#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "base/utc_time.h"
#include "storage/web_client.h"

namespace modelmill {

/// What an OAuth server lends: the word of "Authorization: Bearer", and until when it holds. Never logged.
struct BearerToken {
  std::string text;
  UtcTime expires;
};

/// Keeps a token, and gets a new one before it ends. Thread-safe.
class TokenKeeper {
 public:
  /// nullopt: there are no credentials to get one with.
  using Get = std::function<Result<std::optional<BearerToken>>(UtcTime now)>;

  explicit TokenKeeper(Get get) : get_(std::move(get)) {}

  Result<std::optional<std::string>> token(UtcTime now);

 private:
  const Get get_;
  Mutex mutex_;
  bool known_ MM_GUARDED_BY(mutex_) = false;
  std::optional<BearerToken> token_ MM_GUARDED_BY(mutex_);
};

/// Asks an OAuth server: a form by POST, or a GET when the form is empty. `what` names whose token it is, for the
/// error, which never holds the form.
Result<BearerToken> ask_for_token(WebClient& web, const std::string& url, HttpClient::Headers headers,
                                  const std::string& form, const std::string& what, UtcTime now);

}  // namespace modelmill
