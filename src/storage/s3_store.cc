#include "storage/s3_store.h"

#include <optional>
#include <pugixml.hpp>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/percent_text.h"
#include "storage/aws_credentials.h"
#include "storage/aws_profile.h"
#include "storage/aws_signature.h"
#include "storage/header_text.h"
#include "storage/range_reader.h"

namespace modelmill {
namespace {

/// Where the bucket is reached.
struct Endpoint {
  WebUrl url;        // of AWS: filled in with the region
  bool own = false;  // one that was named: the bucket is in the path
};

std::string first_of(std::initializer_list<std::string> values) {
  for (const std::string& value : values)
    if (!value.empty()) return value;
  return {};
}

/// KServe's way to name one: "minio:9000", with S3_USE_HTTPS=0.
std::string kserve_endpoint(const Environment& environment) {
  std::string host = environment("S3_ENDPOINT");
  if (host.empty() || host.find("://") != std::string::npos) return host;
  return (environment("S3_USE_HTTPS") == "0" ? "http://" : "https://") + host;
}

Result<Endpoint> find_endpoint(const SourceUrl& url, const Environment& environment, const AwsProfile& profile) {
  const std::string text = first_of({url.account, environment("AWS_ENDPOINT_URL_S3"), environment("AWS_ENDPOINT_URL"),
                                     profile.get("endpoint_url"), kserve_endpoint(environment)});
  Endpoint endpoint;
  if (text.empty()) return endpoint;
  auto parsed = parse_web_url(text);
  if (!parsed.ok()) return parsed.status().with_context("the S3 endpoint");
  endpoint.url = *std::move(parsed);
  endpoint.own = true;
  return endpoint;
}

class S3Store final : public ObjectStore {
 public:
  S3Store(SourceUrl url, Endpoint endpoint, AwsProfile profile, std::string region, WebClient::Options options)
      : url_(std::move(url)),
        endpoint_(std::move(endpoint)),
        credentials_(options.environment, std::move(profile), region),
        web_(std::move(options)),
        region_(std::move(region)) {}

  Result<std::vector<RemoteObject>> list(const std::atomic<bool>& cancelled) override {
    std::vector<RemoteObject> objects;
    std::string token;
    do {
      MM_RETURN_IF_ERROR(list_page(token, objects, cancelled));
    } while (!token.empty());
    if (objects.empty() && !url_.key.empty()) return look_at_object(cancelled);
    if (objects.empty()) return not_found("bucket '" + url_.bucket + "' is empty");
    return objects;
  }

  Result<std::vector<Checksum>> more_checksums(const RemoteObject& object,
                                               const std::atomic<bool>& cancelled) override {
    WebRequest request = request_of(full_key(object));
    request.method = "HEAD";
    request.headers = {{"If-Match", '"' + object.version + '"'}, {"x-amz-checksum-mode", "ENABLED"}};
    MM_ASSIGN_OR_RETURN(const ClientReply reply, send(request, cancelled));
    if (reply.status == 412) return Status(Code::kAborted, "'" + object.shown + "' changed while it was looked at");
    if (reply.status != 200) return failed(reply, "look at '" + object.shown + "'");
    return checksums_of(reply, object);
  }

  Status read(const RemoteObject& object, std::optional<ByteRange> range, const Sink& sink,
              const std::atomic<bool>& cancelled) override {
    WebRequest request = request_of(full_key(object));
    const std::string etag = '"' + object.version + '"';
    request.headers = {{"If-Match", etag}};
    Status status = read_object(web_, std::move(request), preparer(), {object, range, "etag", etag}, sink, cancelled);
    return status.code() == Code::kNotFound ? Status(Code::kAborted, "'" + object.shown + "' is gone") : status;
  }

 private:
  std::string full_key(const RemoteObject& object) const {
    return url_.key + (url_.key.empty() || object.key.empty() ? "" : "/") + object.key;
  }
  std::string shown(const std::string& key) const {
    return url_.shown + (key.empty() || url_.shown.ends_with('/') ? "" : "/") + key;
  }

  std::string region() {
    MutexLock lock(mutex_);
    return region_;
  }

  WebRequest request_of(const std::string& key) {
    WebRequest request;
    request.url = endpoint_.url;
    if (endpoint_.own) {
      if (request.url.path == "/") request.url.path.clear();
      request.url.path += '/' + url_.bucket + '/' + percent_encode_path(key);
    } else {
      request.url.base.tls = true;
      request.url.base.port = 443;
      // Certificates of AWS have one level before "s3".
      const bool in_host = url_.bucket.find('.') == std::string::npos;
      const std::string where = region();
      request.url.base.host = (in_host ? url_.bucket + "." : "") + "s3." + where + ".amazonaws.com" +
                              (where.starts_with("cn-") ? ".cn" : "");
      request.url.path = (in_host ? "/" : '/' + url_.bucket + '/') + percent_encode_path(key);
    }
    return request;
  }

  WebClient::Prepare preparer() {
    return [this](WebRequest& request) -> Status {
      const UtcTime now = std::chrono::system_clock::now();
      MM_ASSIGN_OR_RETURN(const auto credentials, credentials_.get(now));
      if (credentials) sign_aws_request(request, *credentials, {region()}, now);
      return ok_status();
    };
  }

  Result<ClientReply> send(const WebRequest& request, const std::atomic<bool>& cancelled) {
    return web_.send(request, preparer(), cancelled);
  }

  /// True when the server told another region than the one that was asked.
  bool learn_region(const ClientReply& reply) {
    const std::string_view told = reply.header("x-amz-bucket-region");
    MutexLock lock(mutex_);
    if (reply.status / 100 == 2 || told.empty() || told == region_) return false;
    region_ = told;
    return true;
  }

  Status list_page(std::string& token, std::vector<RemoteObject>& objects, const std::atomic<bool>& cancelled) {
    const std::string prefix = url_.key.empty() ? "" : url_.key + '/';
    const auto ask = [&] {
      WebRequest request = request_of("");
      request.url.query = "list-type=2&max-keys=1000&prefix=" + percent_encode(prefix);
      if (!token.empty()) request.url.query = "continuation-token=" + percent_encode(token) + '&' + request.url.query;
      return send(request, cancelled);
    };
    MM_ASSIGN_OR_RETURN(ClientReply reply, ask());
    if (learn_region(reply)) {
      MM_ASSIGN_OR_RETURN(reply, ask());
    }
    if (reply.status != 200) return failed(reply, "list '" + url_.shown + "'");
    pugi::xml_document document;
    if (!document.load_buffer(reply.body.data(), reply.body.size()) || !document.child("ListBucketResult"))
      return unavailable("can't list '" + url_.shown + "': the answer is no list of a bucket; is it an S3 server?");
    const pugi::xml_node list = document.child("ListBucketResult");
    for (const pugi::xml_node item : list.children("Contents")) {
      std::string key = item.child_value("Key");
      if (key == prefix || !key.starts_with(prefix)) continue;
      key.erase(0, prefix.size());
      objects.push_back({key, shown(key), size_of_text(item.child_value("Size")), unquoted(item.child_value("ETag"))});
    }
    token = std::string(list.child_value("IsTruncated")) == "true" ? list.child_value("NextContinuationToken") : "";
    return ok_status();
  }

  Result<std::vector<RemoteObject>> look_at_object(const std::atomic<bool>& cancelled) {
    WebRequest request = request_of(url_.key);
    request.method = "HEAD";
    MM_ASSIGN_OR_RETURN(const ClientReply reply, send(request, cancelled));
    if (reply.status == 404) return not_found("there is nothing at '" + url_.shown + "'");
    if (reply.status != 200) return failed(reply, "look at '" + url_.shown + "'");
    return std::vector<RemoteObject>{
        {"", url_.shown, size_of_text(reply.header("content-length")), unquoted(reply.header("etag"))}};
  }

  static std::vector<Checksum> checksums_of(const ClientReply& head, const RemoteObject& object) {
    std::vector<Checksum> out;
    // Of an object that was uploaded in parts, sums of parts' sums say nothing of the whole.
    if (head.header("x-amz-checksum-type") != "COMPOSITE") {
      for (const ChecksumKind kind : {ChecksumKind::kSha256, ChecksumKind::kSha1, ChecksumKind::kCrc32,
                                      ChecksumKind::kCrc32c, ChecksumKind::kCrc64Nvme})
        if (auto sum = checksum_of_base64(kind, head.header(std::string("x-amz-checksum-") + checksum_name(kind))))
          out.push_back(*std::move(sum));
    }
    // The ETag is the content's MD5 unless it was uploaded in parts or is encrypted with a key of KMS or the client's.
    const std::string_view encryption = head.header("x-amz-server-side-encryption");
    const bool plain = (encryption.empty() || encryption == "AES256") &&
                       head.header("x-amz-server-side-encryption-customer-algorithm").empty();
    if (auto sum = checksum_of_hex(ChecksumKind::kMd5, object.version); sum && plain) out.push_back(*std::move(sum));
    return out;
  }

  /// S3's errors as people can use them: its code and message, and who asked.
  Status failed(const ClientReply& reply, const std::string& what) {
    ClientReply shown = reply;
    pugi::xml_document document;
    if (document.load_buffer(reply.body.data(), reply.body.size()))
      if (const pugi::xml_node error = document.child("Error"))
        shown.body = std::string(error.child_value("Code")) + ": " + error.child_value("Message");
    Status status = status_of_reply(shown, "can't " + what);
    if (reply.status != 403 && reply.status != 401) return status;
    const auto credentials = credentials_.get(std::chrono::system_clock::now());
    const bool anonymous = credentials.ok() && !*credentials;
    return {status.code(),
            status.message() + (anonymous ? "; no AWS credentials were found, so it was asked without: set "
                                            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
                                          : "; check that the credentials may list the bucket and read its objects")};
  }

  const SourceUrl url_;
  const Endpoint endpoint_;
  AwsCredentialsChain credentials_;
  WebClient web_;
  Mutex mutex_;
  std::string region_ MM_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_s3_store(const SourceUrl& url, WebClient::Options options) {
  const Environment& environment = options.environment;
  MM_ASSIGN_OR_RETURN(AwsProfile profile, load_aws_profile(environment));
  MM_ASSIGN_OR_RETURN(Endpoint endpoint, find_endpoint(url, environment, profile));
  std::string region =
      first_of({environment("AWS_REGION"), environment("AWS_DEFAULT_REGION"), profile.get("region"), "us-east-1"});
  options.ca_file = environment("AWS_CA_BUNDLE");
  options.ca_setting = "AWS_CA_BUNDLE";
  return std::unique_ptr<ObjectStore>(
      std::make_unique<S3Store>(url, std::move(endpoint), std::move(profile), std::move(region), std::move(options)));
}

}  // namespace modelmill
