#include "dialect/description/front_page.h"

#include "dialect/description/page.h"

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
  static const Page page("page.html", {"page.css"}, "page.js");
  wire::HttpReply reply = page.reply();
  reply.headers.emplace_back("Vary", "Accept");
  return reply;
}

}  // namespace modelmill::description
