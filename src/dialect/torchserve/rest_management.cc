#include "dialect/torchserve/rest_management.h"
#include "dialect/torchserve/refusal.h"

#include <utility>

#include "dialect/torchserve/query_values.h"

namespace modelmill::torchserve {
namespace {

Registration registration_of(const NamedTexts& said, bool synchronous) {
  Registration out;
  out.url = text_in(said, "url");
  out.model_name = text_in(said, "model_name");
  out.batch_size = number_in(said, "batch_size");
  out.max_batch_delay_ms = number_in(said, "max_batch_delay");
  out.initial_workers = number_in(said, "initial_workers");
  out.synchronous = flag_in(said, "synchronous", synchronous);
  out.response_timeout_s = number_in(said, "response_timeout");
  out.startup_timeout_s = number_in(said, "startup_timeout");
  return out;
}

/// One request.
class Call {
 public:
  Call(const Management& management, std::shared_ptr<TorchMetrics> metrics,
       std::shared_ptr<wire::HttpExchange> exchange)
      : management_(management), metrics_(std::move(metrics)), exchange_(std::move(exchange)) {}

  Status handle(const std::vector<std::string>& path) const {
    MM_ASSIGN_OR_RETURN(const NamedTexts query, parse_query(request().query));
    const std::string& method = request().method;
    if (path.empty()) {
      if (method == "POST") return register_model();
      if (method != "GET") return method_not_allowed();
      reply(plain_reply(200, management_.list(number_in(query, "limit").value_or(0),
                                              number_in(query, "next_page_token").value_or(0))));
      return ok_status();
    }
    const std::string& model = path[0];
    const std::string version = path.size() > 1 ? path[1] : std::string();
    if (path.size() == 3 && path[2] == "set-default" && method == "PUT") {
      management_.set_default(model, version, done());
      return ok_status();
    }
    if (path.size() > 2) return no_such_resource();
    if (method == "GET") {
      MM_ASSIGN_OR_RETURN(const std::string json, management_.describe(model, version));
      reply(plain_reply(200, json));
    } else if (method == "PUT") {
      scale(model, version, query);
    } else if (method == "DELETE") {
      management_.unregister(model, version, done());
    } else {
      return method_not_allowed();
    }
    return ok_status();
  }

  void reply(wire::HttpReply reply) const {
    metrics_->replied(reply.status);
    exchange_->reply(std::move(reply));
  }

 private:
  const wire::HttpRequest& request() const { return exchange_->request(); }

  Status register_model() const {
    bool by_body = false;
    MM_ASSIGN_OR_RETURN(const NamedTexts said, registration_values(request(), by_body));
    management_.register_model(registration_of(said, !by_body), done());
    return ok_status();
  }

  void scale(const std::string& model, const std::string& version, const NamedTexts& query) const {
    WorkerScaling scaling{model, version};
    if (version.empty()) scaling.version = text_in(query, "model_version");
    scaling.min = number_in(query, "min_worker").value_or(1);
    scaling.max = number_in(query, "max_worker").value_or(scaling.min);
    scaling.synchronous = flag_in(query, "synchronous", false);
    management_.scale(scaling, done());
  }

  /// Answers on the loop how an operation ended.
  Management::Done done() const {
    return [call = *this](const Management::Outcome& outcome) {
      call.exchange_->loop().post([call, outcome] {
        call.reply(outcome.failure ? failure_reply(*outcome.failure)
                                   : plain_reply(outcome.status, status_json(outcome.text)));
      });
    };
  }

  const Management& management_;
  std::shared_ptr<TorchMetrics> metrics_;
  std::shared_ptr<wire::HttpExchange> exchange_;
};

}  // namespace

void handle_rest_management(const Management& management, const std::shared_ptr<TorchMetrics>& metrics,
                            std::shared_ptr<wire::HttpExchange> exchange, const std::vector<std::string>& path) {
  const wire::HttpRequest& request = exchange->request();
  const Call call(management, metrics, exchange);
  if (const Status status = call.handle(path); !status.ok()) call.reply(refusal(status, request));
}

}  // namespace modelmill::torchserve
