#pragma once

#include <memory>

#include "base/result.h"
#include "storage/object_store.h"
#include "storage/source_url.h"
#include "storage/web_client.h"

namespace modelmill {

/// The store that a URL means. Credentials and endpoints are those of the environment in `options`.
Result<std::unique_ptr<ObjectStore>> open_store(const SourceUrl& url, const WebClient::Options& options);

}  // namespace modelmill
