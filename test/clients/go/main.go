// The story of an application, told by the official Go client to the server that
// ANTHROPIC_BASE_URL names. The client is made without an option but one that looks at what it
// sends. Prints one JSON line a step, as story.ts and story.py do; whatever is not as documented
// ends it with an error.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

const model = "claude-sonnet-5-5"
const weather = "It rains."

type ids struct{ agent, environment, session string }

// version is what the client says of itself in every request.
var version string

func noteVersion(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	version = request.Header.Get("X-Stainless-Package-Version")
	return next(request)
}

func newAgent(ctx context.Context, client anthropic.Client) *anthropic.BetaManagedAgentsAgent {
	return got(client.Beta.Agents.New(ctx, anthropic.BetaAgentNewParams{
		Name:  "told by Go",
		Model: anthropic.BetaManagedAgentsModelConfigParams{ID: model},
		Tools: []anthropic.BetaAgentNewParamsToolUnion{
			{OfAgentToolset20260401: &anthropic.BetaManagedAgentsAgentToolset20260401Params{
				Configs: []anthropic.BetaManagedAgentsAgentToolConfigParamsUnion{{
					OfBash: &anthropic.BetaManagedAgentsBashToolConfigParams{
						PermissionPolicy: anthropic.BetaManagedAgentsBashToolConfigParamsPermissionPolicyUnion{
							OfAlwaysAsk: &anthropic.BetaManagedAgentsAlwaysAskPolicyParam{},
						},
					},
				}},
			}},
			{OfCustom: &anthropic.BetaManagedAgentsCustomToolParams{
				Name:        "get_weather",
				Description: "Tells the weather of a city.",
				InputSchema: anthropic.BetaManagedAgentsCustomToolInputSchemaParam{
					Properties: map[string]any{"city": map[string]any{"type": "string"}},
				},
			}},
		},
	}))
}

func newSession(ctx context.Context, client anthropic.Client, made ids) *anthropic.BetaManagedAgentsSession {
	return got(client.Beta.Sessions.New(ctx, anthropic.BetaSessionNewParams{
		Agent:         anthropic.BetaSessionNewParamsAgentUnion{OfString: anthropic.String(made.agent)},
		EnvironmentID: made.environment,
		Title:         anthropic.String("A story"),
	}))
}

func create(ctx context.Context, client anthropic.Client) ids {
	agent := newAgent(ctx, client)
	tell("client", facts{"version": version})
	environment := got(client.Beta.Environments.New(ctx, anthropic.BetaEnvironmentNewParams{
		Name: "for " + agent.ID,
		Config: anthropic.BetaEnvironmentNewParamsConfigUnion{
			OfCloud: &anthropic.BetaCloudConfigParams{
				Networking: anthropic.BetaCloudConfigParamsNetworkingUnion{
					OfLimited: &anthropic.BetaLimitedNetworkParams{},
				},
			},
		},
	}))
	made := ids{agent: agent.ID, environment: environment.ID}
	session := newSession(ctx, client, made)
	made.session = session.ID
	var tools []string
	var policy string
	for _, tool := range agent.Tools {
		tools = append(tools, tool.Type)
		for _, config := range tool.AsAgentToolset20260401().Configs {
			if config.Name == "bash" {
				policy = config.AsBash().PermissionPolicy.Type
			}
		}
	}
	tell("created", facts{
		"version": agent.Version, "tools": tools, "bash": policy,
		"environment": environment.Config.Type, "status": session.Status,
	})
	return made
}

func tellOfATurn(ctx context.Context, t *talk) {
	t.send(ctx, message("= Hello."))
	events := t.until("session.status_idle")
	tell("turn", facts{
		"types": typesOf(events),
		"text":  textOfMessage(last(events, "agent.message").AsAgentMessage()),
		"stop":  reasonOf(events).Type,
	})
}

func confirmation(id string, deny string) clientEvent {
	answer := &anthropic.BetaManagedAgentsUserToolConfirmationEventParams{
		ToolUseID: id,
		Result:    anthropic.BetaManagedAgentsUserToolConfirmationEventParamsResultAllow,
	}
	if deny != "" {
		answer.Result = anthropic.BetaManagedAgentsUserToolConfirmationEventParamsResultDeny
		answer.DenyMessage = anthropic.String(deny)
	}
	return clientEvent{OfUserToolConfirmation: answer}
}

func tellOfConfirmations(ctx context.Context, t *talk) {
	t.send(ctx, message("$& echo allowed\n$& echo denied"))
	asked := t.until("session.status_idle")
	calls := only(asked, "agent.tool_use")
	first, second := calls[0], calls[1]
	expect(reasonOf(asked).EventIDs, []string{first.ID, second.ID})
	tell("asked", facts{
		"permissions": []any{first.EvaluatedPermission, second.EvaluatedPermission},
		"stop":        reasonOf(asked).Type,
	})
	t.send(ctx, confirmation(first.ID, ""))
	rest := t.until("session.status_idle")
	expect(reasonOf(rest).EventIDs, []string{second.ID})
	tell("one allowed", facts{"types": typesOf(rest), "stop": reasonOf(rest).Type})
	t.send(ctx, confirmation(second.ID, "Not on a Friday."))
	events := t.until("session.status_idle")
	results := map[string]anthropic.BetaManagedAgentsAgentToolResultEvent{}
	for _, event := range only(events, "agent.tool_result") {
		results[event.ToolUseID] = event.AsAgentToolResult()
	}
	allowed, denied := results[first.ID], results[second.ID]
	tell("one denied", facts{
		"results":          len(results),
		"allowed":          strings.TrimSpace(textOfResult(allowed)),
		"allowed_is_error": allowed.IsError,
		"denied_says_why":  strings.Contains(textOfResult(denied), "Not on a Friday."),
		"denied_is_error":  denied.IsError,
		"stop":             reasonOf(events).Type,
	})
}

func tellOfACustomTool(ctx context.Context, t *talk) {
	t.send(ctx, message(`@get_weather {"city":"Paris"}`))
	asked := t.until("session.status_idle")
	call := last(asked, "agent.custom_tool_use").AsAgentCustomToolUse()
	expect(reasonOf(asked).EventIDs, []string{call.ID})
	t.send(ctx, clientEvent{
		OfUserCustomToolResult: &anthropic.BetaManagedAgentsUserCustomToolResultEventParams{
			CustomToolUseID: call.ID,
			Content: []anthropic.BetaManagedAgentsUserCustomToolResultEventParamsContentUnion{{
				OfText: &anthropic.BetaManagedAgentsTextBlockParam{Text: weather},
			}},
		},
	})
	events := t.until("session.status_idle")
	said := textOfMessage(last(events, "agent.message").AsAgentMessage())
	tell("custom tool", facts{
		"name": call.Name, "input": call.Input,
		"model_read_it": strings.Contains(said, weather), "stop": reasonOf(events).Type,
	})
}

func tellOfAnInterrupt(ctx context.Context, t *talk) {
	t.send(ctx, message("$ sleep 600"))
	call := reasonOf(t.until("session.status_idle")).EventIDs[0]
	t.send(ctx, confirmation(call, ""))
	t.until("session.status_running")
	session := got(t.client.Beta.Sessions.Get(ctx, t.id, anthropic.BetaSessionGetParams{}))
	interrupt := &anthropic.BetaManagedAgentsUserInterruptEventParams{}
	t.send(ctx, clientEvent{OfUserInterrupt: interrupt})
	events := t.until("session.status_idle")
	result := last(events, "agent.tool_result").AsAgentToolResult()
	expect(result.ToolUseID, call)
	t.send(ctx, message("= Something else."))
	next := t.until("session.status_idle")
	tell("interrupted", facts{
		"before": session.Status, "is_error": result.IsError,
		"echoed": len(only(events, "user.interrupt")), "stop": reasonOf(events).Type,
		"next": textOfMessage(last(next, "agent.message").AsAgentMessage()),
	})
}

func tellOfPages(ctx context.Context, client anthropic.Client, made ids, t *talk) {
	agents := client.Beta.Agents.ListAutoPaging(ctx, anthropic.BetaAgentListParams{
		Limit: anthropic.Int(1),
	})
	found := 0
	for agents.Next() {
		if agents.Current().ID == made.agent {
			found++
		}
	}
	must(agents.Err())
	query := anthropic.BetaSessionListParams{
		AgentID: anthropic.String(made.agent), Limit: anthropic.Int(1),
	}
	first := got(client.Beta.Sessions.List(ctx, query))
	sessions, sessionPages := map[string]bool{}, 0
	for page := first; page != nil; page = got(page.GetNextPage()) {
		sessionPages++
		for _, session := range page.Data {
			sessions[session.ID] = true
		}
	}
	second := got(first.GetNextPage())
	query.Page = anthropic.String(second.PrevPage)
	again := got(client.Beta.Sessions.List(ctx, query))
	history := readHistory(ctx, client, t.id)
	small, eventPages := readSmallPages(ctx, client, t.id)
	var streamed []string
	for _, event := range t.seen {
		streamed = append(streamed, event.ID)
	}
	tell("pages", facts{
		"agent_found": found, "sessions": len(sessions), "session_pages": sessionPages,
		"events_agree":      slices.Equal(history, small),
		"events_over_pages": eventPages == (len(history)+6)/7,
		"all_was_streamed":  slices.Equal(slices.Sorted(slices.Values(history)), slices.Sorted(slices.Values(streamed))),
		"and_back":          again.Data[0].ID == first.Data[0].ID && second.Data[0].ID != first.Data[0].ID,
	})
}

func readHistory(ctx context.Context, client anthropic.Client, id string) (read []string) {
	params := anthropic.BetaSessionEventListParams{Limit: anthropic.Int(1000)}
	events := client.Beta.Sessions.Events.ListAutoPaging(ctx, id, params)
	for event := range events.All() {
		read = append(read, event.ID)
	}
	must(events.Err())
	return read
}

func readSmallPages(ctx context.Context, client anthropic.Client, id string) (read []string, pages int) {
	params := anthropic.BetaSessionEventListParams{Limit: anthropic.Int(7)}
	first := got(client.Beta.Sessions.Events.List(ctx, id, params))
	for page := first; page != nil; page = got(page.GetNextPage()) {
		pages++
		for _, event := range page.Data {
			read = append(read, event.ID)
		}
	}
	return read, pages
}

func tellOfTheEnd(ctx context.Context, client anthropic.Client, made ids, t *talk, other string) {
	archived := got(client.Beta.Sessions.Archive(ctx, other, anthropic.BetaSessionArchiveParams{}))
	deleted := got(client.Beta.Sessions.Delete(ctx, made.session, anthropic.BetaSessionDeleteParams{}))
	t.until("session.deleted")
	streamEnded := t.isOver()
	_, err := client.Beta.Sessions.Get(ctx, made.session, anthropic.BetaSessionGetParams{})
	var missing *anthropic.Error
	if !errors.As(err, &missing) {
		must(fmt.Errorf("not an error of the API: %w", err))
	}
	environments := client.Beta.Environments
	closed := got(environments.Archive(ctx, made.environment, anthropic.BetaEnvironmentArchiveParams{}))
	gone := got(environments.Delete(ctx, made.environment, anthropic.BetaEnvironmentDeleteParams{}))
	agent := got(client.Beta.Agents.Archive(ctx, made.agent, anthropic.BetaAgentArchiveParams{}))
	tell("ended", facts{
		"archived": archived.Status, "deleted": deleted.Type, "stream_ended": streamEnded,
		"retrieved": missing.StatusCode, "error": missing.Type(),
		"environment_archived": closed.ArchivedAt != "", "environment_deleted": gone.Type,
		"agent_archived": !agent.ArchivedAt.IsZero(),
	})
}

func main() {
	ctx := context.Background()
	client := anthropic.NewClient(option.WithMiddleware(noteVersion))
	made := create(ctx, client)
	t := newTalk(ctx, client, made.session)
	tellOfATurn(ctx, t)
	tellOfConfirmations(ctx, t)
	tellOfACustomTool(ctx, t)
	tellOfAnInterrupt(ctx, t)
	other := newSession(ctx, client, made).ID
	newSession(ctx, client, made)
	tellOfPages(ctx, client, made, t)
	tellOfDeltas(ctx, client, other)
	tellOfTheRunner(ctx, client, other)
	tellOfTheEnd(ctx, client, made, t, other)
}
