#include "storage/source_url.h"

#include <algorithm>
#include <cctype>

#include "storage/checksum.h"
#include "storage/object_key.h"

namespace modelmill {
namespace {

constexpr std::string_view kBlobHost = ".blob.core.windows.net";
constexpr std::string_view kLakeHost = ".dfs.core.windows.net";

Status bad_url(std::string_view text, const std::string& why) {
  return invalid_argument("model URL '" + shown_key(text.substr(0, text.find('?'))) + "': " + why);
}

std::string_view trimmed(std::string_view key) {
  while (key.ends_with('/')) key.remove_suffix(1);
  return key;
}

/// The part before the first slash, which is cut off with it.
std::string_view take_part(std::string_view& rest) {
  const size_t slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  return part;
}

bool is_bucket(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '$';
         });
}

Status set_place(SourceUrl& url, std::string_view text, std::string_view bucket, std::string_view key) {
  if (!is_bucket(bucket)) return bad_url(text, "'" + shown_key(bucket) + "' is not the name of a bucket or container");
  url.bucket = bucket;
  url.key = trimmed(key);
  if (url.key.empty()) return ok_status();
  Status status = check_object_key(url.key);
  return status.ok() ? status : bad_url(text, status.message());
}

Status parse_s3(SourceUrl& url, std::string_view text, std::string_view rest) {
  std::string scheme = "http://";
  for (const char* given : {"http://", "https://"})
    if (rest.starts_with(given)) {
      scheme = given;
      rest.remove_prefix(scheme.size());
      if (rest.substr(0, rest.find('/')).find(':') == std::string_view::npos)
        return bad_url(text, "expected s3://" + scheme + "HOST:PORT/BUCKET/KEY");
    }
  std::string_view first = take_part(rest);
  if (first.find(':') != std::string_view::npos) {
    url.account = scheme + std::string(first);
    if (const auto endpoint = parse_base_url(url.account); !endpoint.ok())
      return bad_url(text, endpoint.status().message());
    first = take_part(rest);
  }
  return set_place(url, text, first, rest);
}

Status parse_azure_host(SourceUrl& url, std::string_view text, std::string_view host) {
  for (const std::string_view known : {kBlobHost, kLakeHost})
    if (host.ends_with(known)) url.account = host.substr(0, host.size() - known.size());
  if (!url.account.empty() && is_bucket(url.account)) return ok_status();
  return bad_url(text,
                 "'" + shown_key(host) + "' is no host of Azure's blobs; expected ACCOUNT" + std::string(kBlobHost));
}

/// wasbs://CONTAINER@HOST/KEY
Status parse_azure_spark(SourceUrl& url, std::string_view text, std::string_view rest) {
  const std::string_view place = take_part(rest);
  const size_t at = place.find('@');
  if (at == std::string_view::npos)
    return bad_url(text, "expected CONTAINER@ACCOUNT" + std::string(kBlobHost) + "/PATH");
  MM_RETURN_IF_ERROR(parse_azure_host(url, text, place.substr(at + 1)));
  return set_place(url, text, place.substr(0, at), rest);
}

Status parse_http(SourceUrl& url, std::string_view text) {
  MM_ASSIGN_OR_RETURN(url.web, parse_web_url(text));
  url.shown = url.web.shown();
  if (url.web.base.tls && url.web.base.host.ends_with(kBlobHost)) {
    url.kind = SourceUrl::Kind::kAzure;
    MM_RETURN_IF_ERROR(parse_azure_host(url, text, url.web.base.host));
    const std::string path = percent_decode(url.web.path);
    std::string_view rest = std::string_view(path).substr(1);
    const std::string_view container = take_part(rest);
    return set_place(url, text, container, rest);
  }
  if (url.web.file_name().empty())
    return bad_url(text, "it ends with '/', and http can't list a folder; name one file, such as model.onnx");
  Status status = check_object_key(url.web.file_name());
  return status.ok() ? status : bad_url(text, status.message());
}

Status parse_fragment(SourceUrl& url, std::string_view text, std::string_view fragment) {
  if (!fragment.starts_with("sha256=") || !checksum_of_hex(ChecksumKind::kSha256, fragment.substr(7)))
    return bad_url(text, "after '#' only sha256= and 64 hexadecimal digits may follow");
  url.sha256 = checksum_hex(*checksum_of_hex(ChecksumKind::kSha256, fragment.substr(7)));
  return ok_status();
}

}  // namespace

bool is_remote_url(std::string_view text) {
  const size_t end = text.find("://");
  return end != std::string_view::npos && end > 0 && std::isalpha(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
         });
}

std::string SourceUrl::name() const {
  if (kind == Kind::kHttp) return web.file_name();
  return key.empty() ? bucket : key.substr(key.rfind('/') + 1);
}

Result<SourceUrl> parse_source_url(std::string_view text) {
  if (!is_remote_url(text)) return bad_url(text, "it has no scheme, such as s3://");
  SourceUrl url;
  const size_t scheme_end = text.find("://");
  const std::string_view scheme = text.substr(0, scheme_end);
  std::string_view whole = text;
  if (const size_t hash = text.rfind("#sha256="); hash != std::string_view::npos || scheme.starts_with("http")) {
    const size_t begin = scheme.starts_with("http") ? text.find('#') : hash;
    if (begin != std::string_view::npos) MM_RETURN_IF_ERROR(parse_fragment(url, text, text.substr(begin + 1)));
    whole = text.substr(0, begin);
  }
  const std::string_view rest = whole.substr(scheme_end + 3);
  url.shown = whole;
  Status status;
  if (scheme == "s3") {
    url.kind = SourceUrl::Kind::kS3;
    status = parse_s3(url, text, rest);
  } else if (scheme == "gs") {
    url.kind = SourceUrl::Kind::kGcs;
    std::string_view key = rest;
    const std::string_view bucket = take_part(key);
    status = set_place(url, text, bucket, key);
  } else if (scheme == "as") {
    url.kind = SourceUrl::Kind::kAzure;
    std::string_view key = rest;
    url.account = take_part(key);
    if (url.account.ends_with(kBlobHost)) url.account.resize(url.account.size() - kBlobHost.size());
    const std::string_view container = take_part(key);
    status = is_bucket(url.account) ? set_place(url, text, container, key)
                                    : bad_url(text, "expected as://ACCOUNT/CONTAINER/PATH");
  } else if (scheme == "wasbs" || scheme == "abfss") {
    url.kind = SourceUrl::Kind::kAzure;
    status = parse_azure_spark(url, text, rest);
  } else if (scheme == "http" || scheme == "https") {
    status = parse_http(url, whole);
  } else {
    status = bad_url(text, "the scheme '" + std::string(scheme) +
                               "' is not known; known are s3, gs, as, wasbs, abfss, http and https");
  }
  if (!status.ok()) return status;
  return url;
}

Status check_allowed_url(std::string_view url, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    if (prefix.empty() || !url.starts_with(prefix)) continue;
    if (url.size() == prefix.size() || prefix.ends_with('/')) return ok_status();
    if (const char next = url[prefix.size()]; next == '/' || next == '?' || next == '#') return ok_status();
  }
  const std::string shown = shown_key(url.substr(0, url.find('?')));
  return {Code::kPermissionDenied, "models may not be loaded from '" + shown +
                                       "'; allow it with --allow-model-url PREFIX, for example --allow-model-url " +
                                       shown.substr(0, shown.rfind('/') + 1)};
}

}  // namespace modelmill
