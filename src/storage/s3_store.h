#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "storage/object_store.h"
#include "storage/source_url.h"
#include "storage/web_client.h"

namespace modelmill {

/// A bucket of S3, or of a server that speaks like it. The endpoint is the URL's, or AWS_ENDPOINT_URL_S3,
/// AWS_ENDPOINT_URL, the profile's endpoint_url or KServe's S3_ENDPOINT; else AWS's own. Thread-safe.
Result<std::unique_ptr<ObjectStore>> open_s3_store(const SourceUrl& url, WebClient::Options options);

}  // namespace modelmill
