#include "dialect/description/front_page.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/check.h"
#include "dialect/description/page_files.h"
#include "wire/grpc_encoding.h"

namespace modelmill::description {
namespace {

std::string signature_line(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    text += (text.empty() ? "" : ", ") + spec.name + " " + std::string(dtype_name(spec.dtype)) +
            shape_text(dims(spec.shape));
  }
  return text;
}

std::string graph_lines(const graphs::GraphStates* states) {
  const auto graphs = states == nullptr ? std::vector<graphs::GraphState>() : states->list();
  std::string text = graphs.empty() ? "" : "\nInference graphs\n";
  for (const graphs::GraphState& graph : graphs) {
    text += "  " + graph.name + (graph.ready ? "" : "  (not ready)") + "\n";
    if (!graph.reason.empty()) text += "    " + graph.reason + "\n";
  }
  return text;
}

std::string describe(const Catalog& catalog, const graphs::GraphStates* graphs, const std::string& server_version) {
  std::string text = "modelmill " + server_version + ", a model server\n\nModels\n";
  const auto table = catalog.table();
  for (const ModelEntry* entry : table->entries()) {
    const std::string& name = entry->name;
    if (entry->versions.empty()) {
      text += "  " + name + "  (not ready)\n";
      continue;
    }
    const ModelVersion& version = **entry->find(0);
    text += "  " + name + "  version " + std::to_string(version.version()) +
            "\n    in:  " + signature_line(version.signature().inputs) +
            "\n    out: " + signature_line(version.signature().outputs) + "\n";
  }
  if (table->empty()) text += "  none\n";
  const std::string graph_list = graph_lines(graphs);
  text += graph_list;
  text +=
      "\nPaths\n"
      "  GET  /predict/MODEL            how to ask a model, with a command to paste\n"
      "  POST /predict/MODEL            JSON, CSV or .npy in and out\n"
      "  GET  /v2/models/MODEL          inputs and outputs (KServe V2 protocol; also by gRPC on this port)\n"
      "  POST /v2/models/MODEL/infer    inference (KServe V2 protocol)\n"
      "  POST /v1/models/MODEL:predict  inference (TensorFlow Serving's protocol, also by gRPC, and KServe V1)\n"
      "  POST /predictions/MODEL        inference (TorchServe's protocol, also by gRPC)\n"
      "  POST /v1/embeddings            vectors of texts (OpenAI's protocol)\n";
  if (!graph_list.empty()) text += "  POST /graphs/GRAPH             a body of V1 or V2 through an inference graph\n";
  text +=
      "  GET  /explain/MODEL            why a model runs as it does\n"
      "  GET  /v2/health/ready          200 when ready\n"
      "  GET  /metrics                  for Prometheus\n"
      "  GET  /openapi.json             all of the paths; GET /protos has the gRPC services\n";
  return text;
}

std::string_view file(std::string_view name) {
  const auto& files = page_files();
  const auto found = std::find_if(files.begin(), files.end(), [&](const auto& one) { return one.name == name; });
  MM_CHECK(found != files.end(), "the page's files are part of the program");
  return found->text;
}

/// What a Content-Security-Policy calls a text by.
std::string hash_source(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  MM_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1, "SHA-256");
  return "'sha256-" + wire::base64_padded({reinterpret_cast<const char*>(digest.data()), size}) + "'";
}

/// Puts `text` in the place of `mark`.
void put(std::string& page, std::string_view mark, std::string_view text) {
  const size_t at = page.find(mark);
  MM_CHECK(at != std::string::npos, "the page has a place for each of its parts");
  page.replace(at, mark.size(), text);
}

struct Page {
  std::string html, policy;
};

/// Scripts and styles are in the page itself, and no others run there: it needs no other file of any server.
Page make_page() {
  Page page{std::string(file("page.html")), {}};
  put(page.html, "/*STYLE*/", file("page.css"));
  put(page.html, "/*SCRIPT*/", file("page.js"));
  page.policy = "default-src 'none'; connect-src 'self'; script-src " + hash_source(file("page.js")) + "; style-src " +
                hash_source(file("page.css")) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return page;
}

}  // namespace

bool is_browser(const wire::HttpRequest& request) {
  return request.header("accept").find("text/html") != std::string_view::npos;
}

wire::HttpReply front_page(const wire::HttpRequest& request, const Catalog& catalog, const graphs::GraphStates* graphs,
                           const std::string& server_version) {
  if (!is_browser(request)) {
    wire::HttpReply reply =
        wire::HttpReply::text(200, "text/plain; charset=utf-8", describe(catalog, graphs, server_version));
    reply.headers.emplace_back("Vary", "Accept");
    return reply;
  }
  static const Page page = make_page();
  wire::HttpReply reply = wire::HttpReply::text(200, "text/html; charset=utf-8", page.html);
  reply.headers.emplace_back("Content-Security-Policy", page.policy);
  reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
  reply.headers.emplace_back("Referrer-Policy", "no-referrer");
  reply.headers.emplace_back("Cache-Control", "no-cache");
  reply.headers.emplace_back("Vary", "Accept");
  return reply;
}

}  // namespace modelmill::description
