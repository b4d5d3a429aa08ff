#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/web_url.h"

namespace modelmill {

/// Whether it names something elsewhere: "SCHEME://...". A path never does.
bool is_remote_url(std::string_view text);

/// A URL of models, taken apart: what kind of store, and where in it. A value.
struct SourceUrl {
  enum class Kind { kS3, kGcs, kAzure, kHttp };

  Kind kind = Kind::kHttp;
  /// As it was given, without what may be secret.
  std::string shown;
  /// S3: "http://HOST:PORT" when the URL names an endpoint. Azure: the account. Empty otherwise.
  std::string account = {};
  /// A bucket or container; empty with http.
  std::string bucket = {};
  /// Below the bucket, without slashes at both ends; empty for all of it.
  std::string key = {};
  /// http: the file. Azure: with the signature (SAS) that a https:// URL may bring.
  WebUrl web = {};
  /// Of "#sha256=HEX", in lower case; empty when it is not given.
  std::string sha256 = {};

  /// What the copy here is called: the last part of the URL, which is a model's name or file.
  std::string name() const;
};

/// s3://BUCKET/KEY, s3://HOST:PORT/BUCKET/KEY, s3://https://HOST:PORT/BUCKET/KEY, gs://BUCKET/KEY,
/// as://ACCOUNT/CONTAINER/KEY, https://ACCOUNT.blob.core.windows.net/CONTAINER/KEY, wasbs://CONTAINER@HOST/KEY,
/// abfss://CONTAINER@HOST/KEY, http://HOST/FILE, https://HOST/FILE. INVALID_ARGUMENT says what is wrong.
Result<SourceUrl> parse_source_url(std::string_view text);

/// PERMISSION_DENIED unless one of the prefixes allows the URL. A prefix ends where a part of the URL does:
/// "s3://models" allows "s3://models/ocr", not "s3://models-of-others".
Status check_allowed_url(std::string_view url, const std::vector<std::string>& prefixes);

}  // namespace modelmill
