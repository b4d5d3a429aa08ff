#include "storage/azure_store.h"

#include <strings.h>

#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/percent_text.h"
#include "storage/azure_credentials.h"
#include "storage/header_text.h"
#include "storage/range_reader.h"

namespace modelmill {
namespace {

/// What Hadoop's clients put on a blob that stands for a folder. Names of metadata are of either case.
bool has_folder_mark(const pugi::xml_node& metadata) {
  for (const pugi::xml_node entry : metadata.children())
    if (::strcasecmp(entry.name(), "hdi_isfolder") == 0) return ::strcasecmp(entry.child_value(), "true") == 0;
  return false;
}

class AzureStore final : public ObjectStore {
 public:
  AzureStore(SourceUrl url, WebUrl endpoint, std::unique_ptr<AzureCredentials> credentials, WebClient::Options options)
      : url_(std::move(url)),
        endpoint_(std::move(endpoint)),
        credentials_(std::move(credentials)),
        web_(std::move(options)) {}

  Result<std::vector<RemoteObject>> list(const std::atomic<bool>& cancelled) override {
    std::vector<RemoteObject> objects;
    std::string marker;
    do {
      MM_RETURN_IF_ERROR(list_page(marker, objects, cancelled));
    } while (!marker.empty());
    if (objects.empty() && !url_.key.empty()) return look_at_blob(cancelled);
    if (objects.empty()) return not_found("container '" + url_.bucket + "' is empty");
    return objects;
  }

  Result<std::vector<Checksum>> more_checksums(const RemoteObject&, const std::atomic<bool>&) override {
    return std::vector<Checksum>();
  }

  Status read(const RemoteObject& object, std::optional<ByteRange> range, const Sink& sink,
              const std::atomic<bool>& cancelled) override {
    WebRequest request = request_of(url_.key + (url_.key.empty() || object.key.empty() ? "" : "/") + object.key);
    const std::string etag = '"' + object.version + '"';
    request.headers = {{"If-Match", etag}};
    Status status = read_object(web_, std::move(request), preparer(), {object, range, "etag", etag}, sink, cancelled);
    return status.code() == Code::kNotFound ? Status(Code::kAborted, "'" + object.shown + "' is gone") : status;
  }

 private:
  WebRequest request_of(const std::string& key) const {
    WebRequest request{endpoint_};
    if (request.url.path == "/") request.url.path.clear();
    request.url.path += '/' + percent_encode(url_.bucket) + (key.empty() ? "" : "/" + percent_encode_path(key));
    return request;
  }

  WebClient::Prepare preparer() {
    return [this](WebRequest& request) { return credentials_->allow(request, std::chrono::system_clock::now()); };
  }

  Status list_page(std::string& marker, std::vector<RemoteObject>& objects, const std::atomic<bool>& cancelled) {
    const std::string prefix = url_.key.empty() ? "" : url_.key + '/';
    WebRequest request = request_of("");
    // Metadata tells which of them stand for folders.
    request.url.query = "restype=container&comp=list&include=metadata&maxresults=5000";
    if (!prefix.empty()) request.url.query += "&prefix=" + percent_encode(prefix);
    if (!marker.empty()) request.url.query += "&marker=" + percent_encode(marker);
    MM_ASSIGN_OR_RETURN(const ClientReply reply, web_.send(request, preparer(), cancelled));
    if (reply.status != 200) return failed(reply, "list '" + url_.shown + "'");
    pugi::xml_document document;
    if (!document.load_buffer(reply.body.data(), reply.body.size()) || !document.child("EnumerationResults"))
      return unavailable("can't list '" + url_.shown + "': the answer is no list of a container; is it Azure's?");
    const pugi::xml_node list = document.child("EnumerationResults");
    for (const pugi::xml_node item : list.child("Blobs").children("Blob")) {
      const pugi::xml_node name = item.child("Name");
      std::string key = name.child_value();
      if (name.attribute("Encoded").as_bool()) key = percent_decode(key);
      if (key == prefix || !key.starts_with(prefix)) continue;
      objects.push_back(object_of(item, key.substr(prefix.size())));
    }
    marker = list.child_value("NextMarker");
    return ok_status();
  }

  RemoteObject object_of(const pugi::xml_node& item, const std::string& key) const {
    const pugi::xml_node properties = item.child("Properties");
    RemoteObject object{key, shown(key), size_of_text(properties.child_value("Content-Length")).value_or(0),
                        unquoted(properties.child_value("Etag"))};
    if (auto sum = checksum_of_base64(ChecksumKind::kMd5, properties.child_value("Content-MD5")))
      object.checksums.push_back(*std::move(sum));
    const bool is_folder = has_folder_mark(item.child("Metadata")) ||
                           std::string_view(properties.child_value("ResourceType")) == "directory";
    if (is_folder && !object.key.ends_with('/')) object.key += '/';
    return object;
  }

  std::string shown(const std::string& key) const {
    return url_.shown + (key.empty() || url_.shown.ends_with('/') ? "" : "/") + key;
  }

  Result<std::vector<RemoteObject>> look_at_blob(const std::atomic<bool>& cancelled) {
    WebRequest request = request_of(url_.key);
    request.method = "HEAD";
    MM_ASSIGN_OR_RETURN(const ClientReply reply, web_.send(request, preparer(), cancelled));
    if (reply.status == 404) return not_found("there is nothing at '" + url_.shown + "'");
    if (reply.status != 200) return failed(reply, "look at '" + url_.shown + "'");
    RemoteObject object{"", url_.shown, size_of_text(reply.header("content-length")), unquoted(reply.header("etag"))};
    if (auto sum = checksum_of_base64(ChecksumKind::kMd5, reply.header("content-md5")))
      object.checksums.push_back(*std::move(sum));
    return std::vector<RemoteObject>{std::move(object)};
  }

  /// Azure's errors as people can use them: its code, and who asked. It calls what an anonymous caller may not see 404.
  Status failed(const ClientReply& reply, const std::string& what) {
    ClientReply shown = reply;
    shown.body = reply.header("x-ms-error-code");
    Status status = status_of_reply(shown, "can't " + what);
    const auto anonymous = credentials_->anonymous(std::chrono::system_clock::now());
    if (!anonymous.ok() || !*anonymous) return status;
    return {status.code(), status.message() +
                               "; no Azure credentials were found, so it was asked without: set AZURE_STORAGE_ACCOUNT "
                               "and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN"};
  }

  const SourceUrl url_;
  const WebUrl endpoint_;
  const std::unique_ptr<AzureCredentials> credentials_;
  WebClient web_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_azure_store(const SourceUrl& url, const WebClient::Options& options) {
  // Only the signature of a https:// URL allows something; its other parameters name a version or a snapshot.
  const bool has_signature = url.web.query.find("sig=") != std::string::npos;
  MM_ASSIGN_OR_RETURN(auto credentials,
                      AzureCredentials::find(url.account, has_signature ? url.web.query : "", options.environment));
  auto endpoint = parse_web_url(credentials->endpoint());
  if (!endpoint.ok()) return endpoint.status().with_context("the endpoint of AZURE_STORAGE_CONNECTION_STRING");
  return std::unique_ptr<ObjectStore>(
      std::make_unique<AzureStore>(url, *std::move(endpoint), std::move(credentials), options));
}

}  // namespace modelmill
