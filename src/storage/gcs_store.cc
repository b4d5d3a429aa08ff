#include "storage/gcs_store.h"

#include <simdjson.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/percent_text.h"
#include "storage/google_credentials.h"
#include "storage/header_text.h"
#include "storage/range_reader.h"

namespace modelmill {
namespace {

constexpr const char* kEndpoint = "https://storage.googleapis.com";

std::string text_of(const simdjson::dom::element& object, const char* name) {
  std::string_view text;
  return object[name].get(text) ? std::string() : std::string(text);
}

class GcsStore final : public ObjectStore {
 public:
  GcsStore(SourceUrl url, WebUrl endpoint, const WebClient::Options& options)
      : url_(std::move(url)),
        endpoint_(std::move(endpoint)),
        credentials_(options.environment),
        tokens_([this](UtcTime now) { return credentials_.get(now); }),
        web_(options) {}

  Result<std::vector<RemoteObject>> list(const std::atomic<bool>& cancelled) override {
    std::vector<RemoteObject> objects;
    std::string page;
    do {
      MM_RETURN_IF_ERROR(list_page(page, objects, cancelled));
    } while (!page.empty());
    if (objects.empty() && !url_.key.empty()) return look_at_object(cancelled);
    if (objects.empty()) return not_found("bucket '" + url_.bucket + "' is empty");
    return objects;
  }

  Result<std::vector<Checksum>> more_checksums(const RemoteObject&, const std::atomic<bool>&) override {
    return std::vector<Checksum>();
  }

  Status read(const RemoteObject& object, std::optional<ByteRange> range, const Sink& sink,
              const std::atomic<bool>& cancelled) override {
    WebRequest request = request_of("/download/storage/v1/b/", '/' + percent_encode(full_key(object)));
    request.url.query = "alt=media&generation=" + object.version;
    // What was stored compressed comes as it is stored; that is what its sums are of.
    request.headers = {{"Accept-Encoding", "gzip"}};
    Status status = read_object(web_, std::move(request), preparer(),
                                {object, range, "x-goog-generation", object.version}, sink, cancelled);
    return status.code() == Code::kNotFound ? Status(Code::kAborted, "'" + object.shown + "' is gone") : status;
  }

 private:
  std::string full_key(const RemoteObject& object) const {
    return url_.key + (url_.key.empty() || object.key.empty() ? "" : "/") + object.key;
  }

  WebRequest request_of(const char* path, const std::string& object) const {
    WebRequest request{endpoint_};
    if (request.url.path == "/") request.url.path.clear();
    request.url.path += path + percent_encode(url_.bucket) + "/o" + object;
    return request;
  }

  WebClient::Prepare preparer() {
    return [this](WebRequest& request) -> Status {
      MM_ASSIGN_OR_RETURN(const auto token, tokens_.token(std::chrono::system_clock::now()));
      if (token) request.headers.emplace_back("Authorization", "Bearer " + *token);
      return ok_status();
    };
  }

  RemoteObject object_of(const simdjson::dom::element& item, const std::string& key) const {
    RemoteObject object{key, url_.shown, size_of_text(text_of(item, "size")).value_or(0), text_of(item, "generation")};
    if (!key.empty()) object.shown += (object.shown.ends_with('/') ? "" : "/") + key;
    if (auto sum = checksum_of_base64(ChecksumKind::kMd5, text_of(item, "md5Hash")))
      object.checksums.push_back(*std::move(sum));
    if (auto sum = checksum_of_base64(ChecksumKind::kCrc32c, text_of(item, "crc32c")))
      object.checksums.push_back(*std::move(sum));
    return object;
  }

  Status list_page(std::string& page, std::vector<RemoteObject>& objects, const std::atomic<bool>& cancelled) {
    const std::string prefix = url_.key.empty() ? "" : url_.key + '/';
    WebRequest request = request_of("/storage/v1/b/", "");
    request.url.query = "maxResults=1000&prefix=" + percent_encode(prefix) +
                        "&fields=" + percent_encode("items(name,size,generation,md5Hash,crc32c),nextPageToken");
    if (!page.empty()) request.url.query += "&pageToken=" + percent_encode(page);
    MM_ASSIGN_OR_RETURN(const ClientReply reply, web_.send(request, preparer(), cancelled));
    if (reply.status != 200) return failed(reply, "list '" + url_.shown + "'");
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    if (parser.parse(reply.body).get(document))
      return unavailable("can't list '" + url_.shown + "': the answer is no JSON; is it Google Cloud Storage?");
    page = text_of(document, "nextPageToken");
    simdjson::dom::array items;
    if (document["items"].get(items)) return ok_status();
    for (const auto item : items) {
      const std::string key = text_of(item, "name");
      if (key != prefix && key.starts_with(prefix)) objects.push_back(object_of(item, key.substr(prefix.size())));
    }
    return ok_status();
  }

  Result<std::vector<RemoteObject>> look_at_object(const std::atomic<bool>& cancelled) {
    const WebRequest request = request_of("/storage/v1/b/", '/' + percent_encode(url_.key));
    MM_ASSIGN_OR_RETURN(const ClientReply reply, web_.send(request, preparer(), cancelled));
    if (reply.status == 404) return not_found("there is nothing at '" + url_.shown + "'");
    if (reply.status != 200) return failed(reply, "look at '" + url_.shown + "'");
    simdjson::dom::parser parser;
    simdjson::dom::element document;
    if (parser.parse(reply.body).get(document))
      return unavailable("can't look at '" + url_.shown + "': the answer is no JSON");
    return std::vector<RemoteObject>{object_of(document, "")};
  }

  Status failed(const ClientReply& reply, const std::string& what) {
    Status status = status_of_reply(reply, "can't " + what);
    const auto token = tokens_.token(std::chrono::system_clock::now());
    if ((reply.status != 401 && reply.status != 403) || !token.ok() || *token) return status;
    return {status.code(), status.message() +
                               "; no Google credentials were found, so it was asked without: set "
                               "GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`"};
  }

  const SourceUrl url_;
  const WebUrl endpoint_;
  GoogleCredentials credentials_;
  TokenKeeper tokens_;
  WebClient web_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_gcs_store(const SourceUrl& url, const WebClient::Options& options) {
  std::string text = options.environment("STORAGE_EMULATOR_HOST");
  if (text.empty()) text = kEndpoint;
  if (text.find("://") == std::string::npos) text = "http://" + text;
  auto endpoint = parse_web_url(text);
  if (!endpoint.ok()) return endpoint.status().with_context("STORAGE_EMULATOR_HOST");
  return std::unique_ptr<ObjectStore>(std::make_unique<GcsStore>(url, *std::move(endpoint), options));
}

}  // namespace modelmill
