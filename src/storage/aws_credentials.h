#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "storage/aws_profile.h"
#include "storage/environment.h"
#include "storage/web_client.h"

namespace modelmill {

/// What signs a request of AWS. Never logged.
struct AwsCredentials {
  std::string key_id;
  std::string secret;
  std::string session_token = {};
  /// Far away for those that don't end.
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();
};

/// Where AWS's own tools find credentials, in their order: the environment, a web identity (AWS_ROLE_ARN with
/// AWS_WEB_IDENTITY_TOKEN_FILE), the profile, a container's endpoint, the machine's role (IMDSv2). Those that end are
/// got anew in time. Thread-safe.
class AwsCredentialsChain {
 public:
  AwsCredentialsChain(Environment environment, AwsProfile profile, std::string region);

  /// nullopt: there are none, or AWS_S3_ANONYMOUS says not to use them; requests go unsigned.
  Result<std::optional<AwsCredentials>> get(std::chrono::system_clock::time_point now);

 private:
  Result<std::optional<AwsCredentials>> look();
  Result<AwsCredentials> from_web_identity(const std::string& role, const std::string& token_file);
  Result<std::optional<AwsCredentials>> from_container();
  Result<std::optional<AwsCredentials>> from_machine();

  const Environment environment_;
  const AwsProfile profile_;
  const std::string region_;
  WebClient web_;     // of services further away
  WebClient nearby_;  // of the machine's own services, which answer at once or not at all
  Mutex mutex_;
  std::optional<std::optional<AwsCredentials>> known_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
