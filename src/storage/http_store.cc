#include "storage/http_store.h"

#include <atomic>
#include <cctype>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "storage/header_text.h"
#include "storage/range_reader.h"
#include "storage/redirect_rule.h"

namespace modelmill {
namespace {

constexpr int kMostRedirects = 10;
constexpr const char* kEnoughSeen = "enough was seen";

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// The size of the whole out of "bytes 0-0/1234", and out of "bytes */0" that a 416 has.
std::optional<uint64_t> whole_size(std::string_view content_range) {
  const size_t slash = content_range.find('/');
  return slash == std::string_view::npos ? std::nullopt : size_of_text(content_range.substr(slash + 1));
}

/// Digest: sha-256=BASE64 and Repr-Digest: sha-256=:BASE64:, which are of the whole also when a part comes.
std::vector<Checksum> digests_of(const ClientReply& head) {
  std::vector<Checksum> out;
  for (const char* name : {"digest", "repr-digest"}) {
    std::string_view rest = head.header(name);
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      std::string_view entry = rest.substr(0, comma);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      while (entry.starts_with(' ')) entry.remove_prefix(1);
      const size_t equals = entry.find('=');
      if (equals == std::string_view::npos) continue;
      std::string algorithm(entry.substr(0, equals));
      for (char& c : algorithm) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      std::string_view value = entry.substr(equals + 1);
      if (value.size() >= 2 && value.front() == ':' && value.back() == ':') value = value.substr(1, value.size() - 2);
      const ChecksumKind kind = algorithm == "md5" ? ChecksumKind::kMd5 : ChecksumKind::kSha256;
      if (algorithm != "md5" && algorithm != "sha-256") continue;
      if (auto sum = checksum_of_base64(kind, value)) out.push_back(*std::move(sum));
    }
  }
  return out;
}

class HttpStore final : public ObjectStore {
 public:
  HttpStore(SourceUrl url, WebClient::Options options)
      : url_(std::move(url)),
        opened_(std::to_string(std::chrono::system_clock::now().time_since_epoch().count())),
        web_(std::move(options)) {}

  /// One byte is asked for, because not every server answers HEAD, and signed URLs are often for GET alone.
  Result<std::vector<RemoteObject>> list(const std::atomic<bool>& cancelled) override {
    WebUrl at = url_.web;
    for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
      MM_ASSIGN_OR_RETURN(const ClientReply reply, look(at, cancelled));
      if (!is_redirect(reply.status)) return objects_of(reply, at);
      auto next = resolve_location(at, reply.header("location"));
      if (!next.ok()) return next.status().with_context("'" + url_.shown + "'");
      MM_RETURN_IF_ERROR(check_redirect(at, *next));
      at = *std::move(next);
    }
    return failed_precondition("'" + url_.shown + "' redirects more than " + std::to_string(kMostRedirects) + " times");
  }

  Result<std::vector<Checksum>> more_checksums(const RemoteObject&, const std::atomic<bool>&) override {
    return std::vector<Checksum>();
  }

  Status read(const RemoteObject& object, std::optional<ByteRange> range, const Sink& sink,
              const std::atomic<bool>& cancelled) override {
    WebRequest request;
    ReadRequest wanted{object, range};
    {
      MutexLock lock(mutex_);
      request.url = final_;
      wanted.version_header = version_header_;
      wanted.version = version_;
    }
    request.headers = {{"Accept-Encoding", "identity"}};
    if (wanted.version_header == "etag" && !wanted.version.starts_with("W/"))
      request.headers.emplace_back("If-Match", wanted.version);
    return read_object(web_, std::move(request), {}, wanted, sink, cancelled);
  }

 private:
  /// The answer's head; its body is not waited for.
  Result<ClientReply> look(const WebUrl& at, const std::atomic<bool>& cancelled) {
    WebRequest request{at};
    request.headers = {{"Range", "bytes=0-0"}, {"Accept-Encoding", "identity"}};
    ClientReply head;
    request.make_sink = [&head] {
      return [&head](const ClientReply& reply, std::string_view) -> Status {
        head = reply;
        return reply.status == 206 ? ok_status() : Status(Code::kCancelled, kEnoughSeen);
      };
    };
    auto reply = web_.send(request, {}, cancelled);
    if (!reply.ok() && reply.status().message() == kEnoughSeen) return head;
    return reply;
  }

  Result<std::vector<RemoteObject>> objects_of(const ClientReply& head, const WebUrl& at) {
    RemoteObject object{"", url_.shown, std::nullopt, ""};
    if (head.status == 206 || head.status == 416) {
      object.size = whole_size(head.header("content-range"));
      if (head.status == 416 && object.size != uint64_t{0})
        return status_of_reply(head, "can't read '" + url_.shown + "'");
      object.ranges = object.size.has_value();
    } else if (head.status == 200) {
      object.size = size_of_text(head.header("content-length"));
      object.ranges = false;
    } else {
      return status_of_reply(head, "can't read '" + url_.shown + "'");
    }
    object.checksums = digests_of(head);
    MutexLock lock(mutex_);
    final_ = at;
    for (const char* name : {"etag", "last-modified"}) {
      version_header_ = name;
      version_ = head.header(name);
      if (!version_.empty()) break;
    }
    // A server that says nothing of versions is believed once for each time that the URL is opened.
    object.version = version_.empty() ? "unknown " + opened_ : version_;
    object.version += ' ' + (object.size ? std::to_string(*object.size) : "?");
    // Not part of what is shown, but of what is meant.
    if (!url_.web.query.empty()) object.version += ' ' + checksum_hex(digest_of(ChecksumKind::kSha256, url_.web.query));
    if (version_.empty()) version_header_.clear();
    return std::vector<RemoteObject>{std::move(object)};
  }

  const SourceUrl url_;
  const std::string opened_;
  WebClient web_;
  Mutex mutex_;
  WebUrl final_ MM_GUARDED_BY(mutex_);  // where the last look's redirects ended
  std::string version_header_ MM_GUARDED_BY(mutex_);
  std::string version_ MM_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_http_store(const SourceUrl& url, WebClient::Options options) {
  return std::unique_ptr<ObjectStore>(std::make_unique<HttpStore>(url, std::move(options)));
}

}  // namespace modelmill
