package huaweimrs

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	hccore "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"

	"scalebot/providers"
)

// lookup is an id that config gives or IAM is asked for once.
type lookup struct {
	given string

	mu    sync.Mutex
	found string
}

func (l *lookup) get(ask func() (string, error)) (string, error) {
	if l.given != "" {
		return l.given, nil
	}
	l.mu.Lock()
	found := l.found
	l.mu.Unlock()
	if found != "" {
		return found, nil
	}
	// Two callers may both ask: reads that do no harm, and neither waits for the
	// other's slow answer.
	found, err := ask()
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	l.found = found
	l.mu.Unlock()
	return found, nil
}

// The names of IAM's two calls.
const (
	listProjects = "KeystoneListProjects"
	listDomains  = "KeystoneListAuthDomains"
)

// projectID is the project that every MRS address holds. Config goes before the
// credentials of the host (HUAWEICLOUD_SDK_PROJECT_ID, project_id of the
// profile), and they before IAM, where the project of a region has its name.
//
// IAM is asked here and not by the SDK, whose own look-up keeps its answers for
// the whole process and panics on an answer without a list.
func (p *provider) projectID(ctx context.Context) (string, error) {
	return p.project.get(func() (string, error) {
		if k, err := p.creds.get(ctx); err == nil && k.project != "" {
			return k.project, nil
		}
		var got struct {
			Projects []identity `json:"projects"`
		}
		type request struct{ Name string }
		if err := p.identify(ctx, listProjects, def.NewHttpRequestDefBuilder().WithPath("/v3/projects").
			WithRequestField(def.NewFieldDef().WithName("Name").WithJsonTag("name").WithLocationType(def.Query)).Build(),
			request{p.account.Region}, &got); err != nil {
			return "", err
		}
		got.Projects = slices.DeleteFunc(got.Projects, func(i identity) bool { return i.Name != p.account.Region })
		if len(got.Projects) != 1 || got.Projects[0].ID == "" {
			return "", p.notIdentified(listProjects, fmt.Errorf("%d projects are named %s", len(got.Projects), p.account.Region), providers.Text{
				EN: fmt.Sprintf("IAM does not show one project named %s to this key: set project_id of the account.", p.account.Region),
				ZH: fmt.Sprintf("IAM 未向该密钥返回唯一名为 %s 的项目：请设置账号的 project_id。", p.account.Region),
			})
		}
		return got.Projects[0].ID, nil
	})
}

// domainID is the account that pays, for the price service.
func (p *provider) domainID(ctx context.Context) (string, error) {
	return p.domain.get(func() (string, error) {
		var got struct {
			Domains []identity `json:"domains"`
		}
		type request struct{}
		if err := p.identify(ctx, listDomains, def.NewHttpRequestDefBuilder().WithPath("/v3/auth/domains").Build(), request{}, &got); err != nil {
			return "", err
		}
		if len(got.Domains) == 0 || got.Domains[0].ID == "" {
			return "", p.notIdentified(listDomains, fmt.Errorf("no domain is shown"), providers.Text{
				EN: "IAM does not show this key its account: set domain_id.",
				ZH: "IAM 未向该密钥返回所属账号：请设置 domain_id。",
			})
		}
		return got.Domains[0].ID, nil
	})
}

type identity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *provider) identify(ctx context.Context, action string, d *def.HttpRequestDef, request, into any) error {
	d.Method, d.ContentType = http.MethodGet, "application/json"
	_, err := p.send(ctx, p.iamService(), action, false, func(c *hccore.HcHttpClient) error {
		return read(c, d, request, into)
	})
	return err
}

func (p *provider) notIdentified(action string, err error, advice providers.Text) *providers.Error {
	return &providers.Error{Kind: providers.Auth, Op: action, Err: err, Advice: p.forAccount(advice)}
}
