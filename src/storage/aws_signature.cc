#include "storage/aws_signature.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>
#include <vector>

#include "storage/checksum.h"

namespace modelmill {
namespace {

constexpr const char* kAlgorithm = "AWS4-HMAC-SHA256";

std::string sha256_hex(std::string_view text) { return checksum_hex(digest_of(ChecksumKind::kSha256, text)); }

/// By name; a name without '=' has an empty value.
std::string canonical_query(std::string_view query) {
  std::vector<std::string> fields;
  while (!query.empty()) {
    const size_t end = query.find('&');
    std::string field(query.substr(0, end));
    if (field.find('=') == std::string::npos) field += '=';
    fields.push_back(std::move(field));
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
  }
  std::sort(fields.begin(), fields.end(), [](const std::string& a, const std::string& b) {
    const size_t a_end = a.find('='), b_end = b.find('=');
    return std::pair(a.substr(0, a_end), a.substr(a_end)) < std::pair(b.substr(0, b_end), b.substr(b_end));
  });
  std::string out;
  for (const std::string& field : fields) out += (out.empty() ? "" : "&") + field;
  return out;
}

std::map<std::string, std::string> signed_headers(const WebRequest& request) {
  std::map<std::string, std::string> out{{"host", request.url.base.host_header()}};
  for (const auto& [name, value] : request.headers) {
    std::string lower(name);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out[lower] = value;
  }
  return out;
}

std::string signing_key(const AwsCredentials& credentials, const std::string& day, const AwsScope& scope) {
  std::string key = hmac_sha256("AWS4" + credentials.secret, day);
  for (const std::string& part : {scope.region, scope.service, std::string("aws4_request")})
    key = hmac_sha256(key, part);
  return key;
}

}  // namespace

void sign_aws_request(WebRequest& request, const AwsCredentials& credentials, const AwsScope& scope, UtcTime now) {
  const std::string time = utc_text(now, "%Y%m%dT%H%M%SZ"), day = time.substr(0, 8);
  const std::string empty_sum = sha256_hex("");
  request.headers.emplace_back("x-amz-date", time);
  if (scope.service == "s3") request.headers.emplace_back("x-amz-content-sha256", empty_sum);
  if (!credentials.session_token.empty())
    request.headers.emplace_back("x-amz-security-token", credentials.session_token);
  std::string names, lines;
  for (const auto& [name, value] : signed_headers(request)) {
    names += (names.empty() ? "" : ";") + name;
    lines += name + ':' + value + '\n';
  }
  const std::string canonical = request.method + '\n' + request.url.path + '\n' + canonical_query(request.url.query) +
                                '\n' + lines + '\n' + names + '\n' + empty_sum;
  const std::string place = day + '/' + scope.region + '/' + scope.service + "/aws4_request";
  const std::string to_sign = std::string(kAlgorithm) + '\n' + time + '\n' + place + '\n' + sha256_hex(canonical);
  const Checksum signature{ChecksumKind::kSha256, hmac_sha256(signing_key(credentials, day, scope), to_sign)};
  request.headers.emplace_back("Authorization", std::string(kAlgorithm) + " Credential=" + credentials.key_id + '/' +
                                                    place + ", SignedHeaders=" + names +
                                                    ", Signature=" + checksum_hex(signature));
}

}  // namespace modelmill
