#include "storage/open_store.h"

#include "storage/azure_store.h"
#include "storage/gcs_store.h"
#include "storage/http_store.h"
#include "storage/s3_store.h"

namespace modelmill {

Result<std::unique_ptr<ObjectStore>> open_store(const SourceUrl& url, const WebClient::Options& options) {
  switch (url.kind) {
    case SourceUrl::Kind::kS3: return open_s3_store(url, options);
    case SourceUrl::Kind::kGcs: return open_gcs_store(url, options);
    case SourceUrl::Kind::kAzure: return open_azure_store(url, options);
    case SourceUrl::Kind::kHttp: return open_http_store(url, options);
  }
  return internal("a URL of no known kind");
}

}  // namespace modelmill
