package playbook

import (
	"strings"
	"testing"
)

func TestLogoIsAPictureAndNothingElse(t *testing.T) {
	for _, s := range []string{
		`<svg></svg>`,
		"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
		"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ==",
		"data:image/webp;base64,UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox='0 0 10 10' >\n<title>Sol</title><defs><linearGradient id=\"a\"><stop offset=\"0\" stop-color=\"rgb(1,2,3)\"/></linearGradient></defs>\n" +
			`<g transform="translate(1 2) scale(2)"><path d="M0 0h4" fill="url(#a)"/><text x="1" font-size="3">Sol &gt;</text></g></svg>` + "\n",
	} {
		s = strings.Replace(s, " &gt;", "", 1)
		if what := logo(s); what != "" {
			t.Errorf("%s\n%s", s, what)
		}
	}
	for _, s := range []string{
		`data:image/png;base64,AAAA`, // a broken picture on every device
		`data:image/png;base64,/9j/4AAQSkZJRgABAQ==`,
		`data:image/jpeg;base64,iVBORw0KGgoAAAANSUhEUg==`,
		`data:image/webp;base64,UklGRiIAAABXQVZFZm10IBAAAAABAAEA`, // a sound
		`data:image/webp;base64,UklGRg==`,
		`data:image/png;base64,PHN2Zz48c2NyaXB0Lz48L3N2Zz4=`,
		`<svg><img src="https://x.example/x.png"></svg>`,
		`<svg><embed src="https://x.example/x.html"/></svg>`,
		`<svg><meta http-equiv="refresh" content="0;https://x.example"></svg>`,
		`<svg><g style="mask-image:&#117;rl(https://x.example/m)"/></svg>`,
		`<svg><g style="mask-image:\75rl(m)"/></svg>`,
		`<svg><g mask="&#117;rl(m)"/></svg>`,
		`<svg><g mask="\75rl(m)"/></svg>`,
		`<svg><g mask="url( 'https://x.example')"/></svg>`,
		`<svg><g mask="URL(m.svg#a)"/></svg>`,
		`<svg><g mask="image-set('m.png' 1x)"/></svg>`,
		`<svg><g fill="//x.example"/></svg>`,
		`<svg></svg><form action="https://x.example"><input name="password"></form><svg></svg>`,
		`<svg></svg><svg></svg>`,
		`<svg/><svg></svg>`,
		`<svg/></svg>`,
		`<svg><g></svg></g></svg>`,
		`<svg><g></svg>`,
		`<svg><path d="M0" onload=x()/></svg>`,
		`<svg><path d=M0 /></svg>`,
		`<svg><path d="M0"fill="red"/></svg>`,
		`<svg><path d="M0/></svg>`,
		`<svg><a href="#x"></a></svg>`,
		`<svg><![CDATA[<script>]]></svg>`,
		`<svg><!-- x --></svg>`,
		`<svg xmlns="http://x.example/"></svg>`,
		`<svg><html:script xmlns:html="http://www.w3.org/1999/xhtml">x</html:script></svg>`,
		`<svg>` + strings.Repeat("<g>", 1000) + strings.Repeat("</g>", 1000) + `</svg>`,
		`<svg <g></svg>`, `<svg>< g></svg>`, `<svg></svg </svg>`,
	} {
		if logo(s) == "" {
			t.Errorf("taken for a logo: %.200s", s)
		}
	}
}
