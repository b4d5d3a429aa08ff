#pragma once

#include <string>

#include "base/utc_time.h"
#include "storage/aws_credentials.h"
#include "storage/web_client.h"

namespace modelmill {

/// Whom a signature is for.
struct AwsScope {
  std::string region;
  std::string service = "s3";
};

/// Adds to a request without a body the headers of AWS's signature, version 4: the date, the session's token, and
/// Authorization, which covers the host and every header that is there. The path must be encoded as S3 wants it, each
/// part by percent_encode, and the query must have its values encoded the same way.
void sign_aws_request(WebRequest& request, const AwsCredentials& credentials, const AwsScope& scope, UtcTime now);

}  // namespace modelmill
