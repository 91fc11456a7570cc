// Event deltas, put together by the client's own accumulator, and the custom tool run by the
// client's own session tool runner.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/toolrunner"
)

const words = 60

func tellOfDeltas(ctx context.Context, client anthropic.Client, id string) {
	params := anthropic.BetaSessionEventStreamParams{
		EventDeltas: []anthropic.BetaManagedAgentsDeltaType{"agent.message", "agent.thinking"},
	}
	stream := client.Beta.Sessions.Events.StreamEvents(ctx, id, params)
	defer stream.Close()
	must(stream.Err())
	send(ctx, client, id, message(fmt.Sprintf("# think\n# tokens %d 10", words)))
	var previews anthropic.BetaManagedAgentsEventAccumulator
	var started, shown []string
	var text string
	for stream.Next() {
		event := stream.Current()
		previews.Accumulate(event)
		switch event.Type {
		case "event_start":
			started = append(started, event.Event.Type)
		case "event_delta":
			shown = append(shown, previews.AgentMessageText(event.EventID))
		case "agent.message":
			text = previews.AgentMessageText(event.ID)
		}
		if event.Type == "session.status_idle" {
			break
		}
	}
	must(stream.Err())
	prefixes := true
	for _, preview := range shown {
		prefixes = prefixes && preview != "" && strings.HasPrefix(text, preview)
	}
	tell("deltas", facts{
		"started": started, "several": len(shown) > 1, "prefixes": prefixes,
		"words": len(strings.Fields(text)),
	})
}

type place struct {
	City string `json:"city" jsonschema:"required"`
}

func tellOfTheRunner(ctx context.Context, client anthropic.Client, id string) {
	var cities []string
	tool := got(toolrunner.NewBetaToolFromJSONSchema(
		"get_weather", "Tells the weather of a city.",
		func(_ context.Context, input place) (anthropic.BetaToolResultBlockParamContentUnion, error) {
			cities = append(cities, input.City)
			text := &anthropic.BetaTextBlockParam{Text: weather}
			return anthropic.BetaToolResultBlockParamContentUnion{OfText: text}, nil
		},
	))
	send(ctx, client, id, message("@get_weather {\"city\":\"Oslo\"}\n@get_weather {\"city\":\"Rome\"}"))
	// The session may have ended for good by then.
	maxIdle := 500 * time.Millisecond
	runner := client.Beta.Sessions.Events.NewToolRunner(ctx, id, anthropic.SessionToolRunnerOptions{
		Tools: []anthropic.BetaTool{tool}, MaxIdle: &maxIdle,
	})
	calls := []facts{}
	for runner.Next() {
		call := runner.Current()
		calls = append(calls, facts{
			"name": call.Name, "posted": call.Posted, "is_error": call.IsError,
		})
	}
	if !errors.Is(runner.Err(), anthropic.ErrIdleTimeout) {
		must(fmt.Errorf("the runner ended with %w", runner.Err()))
	}
	must(runner.Close())
	var said, stop string
	events := client.Beta.Sessions.Events.ListAutoPaging(ctx, id, anthropic.BetaSessionEventListParams{})
	for event := range events.All() {
		switch event.Type {
		case "agent.message":
			said = textOfMessage(event.AsAgentMessage())
		case "session.status_idle":
			stop = event.AsSessionStatusIdle().StopReason.Type
		}
	}
	must(events.Err())
	tell("tool runner", facts{
		"calls": calls, "cities": cities, "model_read_it": strings.Contains(said, weather),
		"stop": stop,
	})
}
